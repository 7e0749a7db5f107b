/* Answers the reader: find and pick a group, other priors, another threshold, one group less. */
(() => {
  "use strict";

  // Tables with a search box of their own.
  for (const box of document.querySelectorAll("input[data-rows]")) {
    box.addEventListener("input", () => {
      const wanted = box.value.trim().toLowerCase();
      for (const row of document.querySelectorAll(`#${box.dataset.rows} tbody tr`)) {
        row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      }
    });
  }
  document.documentElement.classList.add("scripted");

  const source = document.getElementById("facts");
  if (!source) return;

  const facts = JSON.parse(source.textContent);
  const { Posterior, number, span, probability, scaleOf, centreOf, minus } = propto;
  const byId = (id) => document.getElementById(id);
  const place = new Map(facts.labels.map((label, j) => [label, j]));
  const first = { prior: facts.grid.base, threshold: facts.threshold.start, without: -1 };
  const state = { ...first };
  let picked = -1;
  let posterior = new Posterior(facts, state.prior, state.without);

  const named = (j) => (/^\d+$/.test(facts.labels[j]) ? `group ${facts.labels[j]}` : facts.labels[j]);
  const changed = () => Object.keys(first).some((key) => state[key] !== first[key]);
  const given = (value) => minus(String(Number(value.toPrecision(6))));

  /* Tables */

  const cellsOf = ({ mean, sd, quantiles }, error) => [
    number(mean, error, 3), span(quantiles[0], quantiles[4], error), number(sd, error, 3),
    number(quantiles[2], error, 3), span(quantiles[1], quantiles[3], error),
  ];

  const fill = (row, texts) => texts.forEach((text, i) => {
    if (text !== null && row.cells[i + 1].textContent !== text) row.cells[i + 1].textContent = text;
  });

  const rowsOf = (id) => [...document.querySelectorAll(`#${id} tbody tr`)];

  const nameOf = (row) => row.cells[0].textContent;

  const groupRows = rowsOf("table").map((row) => ({ row, j: place.get(nameOf(row)) }));

  const groupCells = (j) => {
    const mixture = posterior.theta(j);
    const { mean, sd, quantiles } = posterior.summary(mixture);
    const pull = j === state.without ? 1 : posterior.shrinkage(j);
    return [
      number(mean, sd, 3), span(quantiles[0], quantiles[4], sd), probability(1 - mixture.below(state.threshold)),
      number(sd, sd, 3), null, null, `${Math.round(100 * pull)} %`,
    ];
  };

  const fillTables = () => {
    for (const { row, j } of groupRows) if (!row.hidden) fill(row, groupCells(j));
    document.querySelectorAll("#table th, #above th[scope=col]").forEach((heading) => {
      if (heading.textContent.startsWith("P(> ")) heading.textContent = `P(> ${given(state.threshold)})`;
    });
    for (const row of rowsOf("forest")) {
      const j = place.get(nameOf(row));
      const { mean, sd, quantiles } = posterior.summary(posterior.theta(j));
      fill(row, [null, number(mean, sd, 3), span(quantiles[1], quantiles[3], sd), span(quantiles[0], quantiles[4], sd)]);
    }
    const whole = posterior.whole();
    const keys = [whole.mu, whole.tau, whole.new];
    rowsOf("numbers").forEach((row, i) => fill(row, cellsOf(keys[i], scaleOf(keys[i]))));
    return whole;
  };

  // Rows of all tables that stand for a group.
  const namedRows = [...document.querySelectorAll("tbody tr")].filter((row) => place.has(nameOf(row)));
  for (const row of namedRows) row.classList.add("named");

  /* Charts */

  const figureOf = (id) => propto.figures.find((figure) => figure.element.id === id);

  const forestRow = (row) => {
    const j = place.get(row.group);
    const fresh = row.lane === "below" && j === undefined;
    const mixture = fresh ? posterior.newGroup() : posterior.theta(j);
    const moments = fresh || j === state.without ? posterior.moments.tau : 2;
    const summary = posterior.summary(mixture, moments);
    const [low90, low50, , high50, high90] = summary.quantiles;
    const kind = fresh || j === state.without ? "predicted" : "pooled";
    return { ...row, kind, mid: centreOf(summary), low50, high50, low90, high90 };
  };

  const chance = (j) => 1 - posterior.theta(j).below(state.threshold);

  const fillCharts = async (whole) => {
    const forest = figureOf("forest"), why = figureOf("why"), above = figureOf("above");
    if (forest) {
      await forest.put("pooled", forest.spec.datasets.pooled.map(forestRow));
      await forest.put("centre", [{ mu: centreOf(whole.mu) }]);
    }
    if (why) await why.put("median", [{ tau: whole.tau.quantiles[2] }]);
    if (!above) return;
    await above.put("chances", above.spec.datasets.chances.map((row) => ({ ...row, prob: chance(place.get(row.group)) })));
    const sure = facts.labels.reduce((count, _, j) => count + (j !== state.without && chance(j) >= 0.95), 0);
    const all = facts.labels.length - (state.without >= 0);
    byId("above-title").textContent =
      `${sure} of ${all} groups ${sure === 1 ? "is" : "are"} above ${given(state.threshold)} with probability 0.95 or more`;
    for (const row of rowsOf("above")) {
      const j = place.get(nameOf(row));
      const p = j === undefined ? 1 - posterior.newGroup().below(state.threshold) : chance(j);
      row.cells[1].textContent = probability(p);
    }
  };

  /* Words */

  const say = (whole) => {
    const { mu, tau } = whole;
    const tried = [];
    if (state.prior !== first.prior) tried.push(`spread prior ${facts.grid.priors[state.prior]}`);
    if (state.without >= 0) tried.push(`without ${named(state.without)}`);
    if (state.threshold !== first.threshold) tried.push(`threshold ${given(state.threshold)}`);
    byId("now").textContent = changed()
      ? `What if: ${tried.join(", ")}. Average effect ${number(centreOf(mu), scaleOf(mu))} ` +
        `(90 % interval ${span(mu.quantiles[0], mu.quantiles[4], scaleOf(mu))}); spread ${number(tau.quantiles[2], tau.quantiles[2])}` +
        " (median). Forest, tables and thresholds below follow; titles and the other charts show the fit."
      : "";
    document.documentElement.classList.toggle("changed", changed());
  };

  const card = () => {
    const box = byId("one");
    box.hidden = picked < 0;
    if (picked < 0) return;
    const j = picked, mixture = posterior.theta(j), { mean, sd, quantiles } = posterior.summary(mixture);
    const lines = [
      ["reported", `${number(facts.estimate[j], facts.error[j], 3)} ± ${number(facts.error[j], facts.error[j], 3)}`],
      [j === state.without ? "as a new group" : "pooled", `${number(mean, sd, 3)} (90 % interval ${span(quantiles[0], quantiles[4], sd)})`],
      [`P(> ${given(state.threshold)})`, probability(1 - mixture.below(state.threshold))],
    ];
    if (facts.ranks) {
      const { best, low, high } = facts.ranks;
      lines.push(["rank", `${low[j]} to ${high[j]} of ${facts.labels.length} (90 %)`], ["P(best)", probability(best[j])]);
    }
    if (facts.grid.without.includes(j) && state.without < 0) {
      const { mu, tau } = new Posterior(facts, state.prior, j).whole();
      lines.push(["without it", `average ${number(centreOf(mu), scaleOf(mu))}, spread ${number(tau.quantiles[2], tau.quantiles[2])}`]);
    }
    byId("one-name").textContent = named(j);
    byId("one-facts").replaceChildren(...lines.map(([name, text]) => {
      const pair = document.createElement("div");
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = name;
      value.textContent = text;
      pair.append(term, value);
      return pair;
    }));
  };

  // What takes longer than a moment is marked as under way.
  let under = 0;
  const marked = (work) => async (...given) => {
    document.documentElement.dataset.busy = String((under += 1));
    try {
      await work(...given);
    } finally {
      if ((under -= 1) === 0) delete document.documentElement.dataset.busy;
    }
  };

  const recompute = marked(async () => {
    posterior = new Posterior(facts, state.prior, state.without);
    card();
    const whole = fillTables();
    say(whole);
    await fillCharts(whole);
  });

  /* Orders: of the table's rows, and of the axes of data and forest. */
  const keys = {
    pooled: (j) => -posterior.theta(j).mean(),
    estimate: (j) => -facts.estimate[j],
    error: (j) => facts.error[j],
    given: (j) => j,
  };

  const sort = async (name) => {
    const value = new Map(facts.labels.map((label, j) => [label, keys[name](j)]));
    const at = (label) => [value.get(label) ?? Infinity, place.get(label) ?? Infinity];
    const compare = (a, b) => (at(a)[0] !== at(b)[0] ? at(a)[0] - at(b)[0] : at(a)[1] - at(b)[1]);
    groupRows.sort((a, b) => compare(facts.labels[a.j], facts.labels[b.j]));
    if (groupRows.length) groupRows[0].row.parentElement.append(...groupRows.map(({ row }) => row));
    for (const figure of ["data", "forest"].map(figureOf)) await figure?.arrange((domain) => [...domain].sort(compare));
    document.documentElement.dataset.sorted = name;
  };

  /* A group that is not among those drawn joins the forest while it is picked. */
  let guest = null;
  const invite = async (label) => {
    const forest = figureOf("forest");
    if (!forest || (label && forest.draws(label) && label !== guest)) label = null;
    if (!forest || label === guest) return;
    const { reported, pooled } = forest.spec.datasets;
    const others = (data) => data.filter((row) => row.group !== guest);
    const drop = (domain) => domain.filter((name) => name !== guest);
    const join = (domain) => (label ? [...drop(domain).slice(0, -1), label, domain.at(-1)] : drop(domain));
    const ends = label ? fresh(place.get(label)) : null;
    Object.assign(forest.spec.datasets, {
      reported: label ? [...others(reported), ends] : others(reported),
      pooled: label ? [...others(pooled), forestRow({ group: label, lane: "below" })] : others(pooled),
    });
    const domain = [...new Set(pooled.map((row) => row.group))];
    await forest.arrange((names) => (names.length === domain.length ? join(names) : names));
    guest = label;
  };

  const fresh = (j) => {
    const end = (z) => facts.estimate[j] + z * facts.error[j];
    const [inner, outer] = [0.6744897501960817, 1.6448536269514722];
    return {
      group: facts.labels[j], kind: "reported", lane: "above", mid: end(0),
      low50: end(-inner), high50: end(inner), low90: end(-outer), high90: end(outer),
    };
  };

  const pick = marked(async (j) => {
    picked = j;
    const label = j < 0 ? "" : facts.labels[j];
    for (const row of namedRows) row.classList.toggle("picked", j >= 0 && nameOf(row) === label);
    card();
    await invite(j < 0 ? null : label);
    for (const figure of propto.figures) await figure.pick(label);
    document.documentElement.dataset.picked = label;
  });

  /* Find: the table keeps what matches; a whole name, or the only match, is picked. */
  const find = (text) => {
    const wanted = text.trim().toLowerCase();
    const matches = [];
    facts.labels.forEach((label, j) => {
      if (label.toLowerCase().includes(wanted)) matches.push(j);
    });
    const kept = new Set(matches);
    for (const { row, j } of groupRows) row.hidden = !kept.has(j);
    const exact = matches.find((j) => facts.labels[j].toLowerCase() === wanted);
    byId("found").textContent = wanted ? `${matches.length} of ${facts.labels.length} groups` : "";
    if (changed()) fillTables();
    return pick(!wanted ? -1 : exact ?? (matches.length === 1 ? matches[0] : -1));
  };

  /* Controls */

  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const form = byId("what-if");
  const { low, high, step } = facts.threshold;
  const range = byId("threshold-range"), exact = byId("threshold"), prior = byId("prior"), without = byId("without");
  Object.assign(range, { min: low, max: high, step });
  Object.assign(prior, { min: 0, max: facts.grid.priors.length - 1, step: 1 });
  byId("names").append(...(facts.labels.length <= 2000 ? facts.labels.map((label) => option(label, "")) : []));
  without.append(option("-1", "no group"), ...[...facts.grid.without].sort((a, b) => a - b).map((j) => option(String(j), facts.labels[j])));
  without.parentElement.hidden = !facts.grid.without.length;

  const show = () => {
    prior.value = String(state.prior);
    byId("prior-text").textContent = facts.grid.priors[state.prior];
    prior.setAttribute("aria-valuetext", facts.grid.priors[state.prior]);
    range.value = String(state.threshold);
    if (Number(exact.value) !== state.threshold || exact.value === "") exact.value = String(state.threshold);
    without.value = String(state.without);
  };

  // While a slider moves, what waits is computed once.
  let waiting = null;
  const later = marked(async () => {
    await new Promise((done) => setTimeout(done, 0));
    waiting = null;
    await recompute();
  });

  const set = (part) => {
    Object.assign(state, part);
    show();
    return (waiting ??= later());
  };

  prior.addEventListener("input", () => set({ prior: Number(prior.value) }));
  range.addEventListener("input", () => set({ threshold: Number(range.value) }));
  exact.addEventListener("input", () => Number.isFinite(exact.valueAsNumber) && set({ threshold: exact.valueAsNumber }));
  without.addEventListener("change", () => set({ without: Number(without.value) }));
  byId("sort").addEventListener("change", (event) => sort(event.target.value));
  byId("find").addEventListener("input", (event) => find(event.target.value));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    byId("find").value = "";
    find("");
    if (byId("sort").value !== "pooled") sort((byId("sort").value = "pooled"));
    set(first);
  });
  const choose = (label) => {
    const j = place.has(label) && place.get(label) !== picked ? place.get(label) : -1;
    byId("find").value = j < 0 ? "" : label;
    if (groupRows.some(({ row }) => row.hidden)) find("");
    return pick(j);
  };
  for (const figure of propto.figures) figure.chosen = (label) => label && choose(label);
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr.named > th")?.parentElement;
    if (row) choose(nameOf(row));
  });

  /* On paper stands the fit, not what was tried. */
  let tried = null;
  addEventListener("beforeprint", () => {
    tried = { ...state };
    set(first);
  });
  addEventListener("afterprint", () => set(tried ?? first));

  show();
})();
