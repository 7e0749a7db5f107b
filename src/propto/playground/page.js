/* The page: settings make a run, buttons advance it, and everything seen is drawn from it. */
"use strict";

const playground = (() => {
  const SHOWN = 4000; // draws in the plane
  const DEFAULTS = {
    metropolis: { step: 0.5, steps: 1, chains: 4 },
    hmc: { step: 0.25, steps: 8, chains: 4 },
    nuts: { step: 0.25, steps: 1, chains: 4 },
    ensemble: { step: 0.4, steps: 4, chains: 64 },
  };
  const PACE = { slow: { pause: 650, each: 1 }, steady: { pause: 90, each: 2 }, fast: { pause: 0, each: 0 } };
  const FRAME = 14; // milliseconds of work in each frame at full speed

  const at = (id) => document.getElementById(id);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let run, timer = null;

  /* --- what is seen -------------------------------------------------------------------------------------- */

  const fill = (parent, rows, make) => parent.replaceChildren(...rows.flatMap(make));
  const element = (name, text, kind = "") => Object.assign(document.createElement(name), { textContent: text, className: kind });

  const showNumbers = () => {
    walk.diagnose(run);
    fill(at("estimates"), run.estimates, (one, axis) => {
      const row = document.createElement("tr");
      const name = Object.assign(element("th", run.target.labels[axis]), { scope: "row" });
      const true_ = run.truth[axis];
      row.append(name, element("td", words.fixed(one.mean)), element("td", words.fixed(true_.mean), "true"), element("td", words.fixed(one.sd)),
        element("td", words.fixed(true_.sd), "true"), element("td", words.fixed(one.rhat, 3)), element("td", words.fixed(one.ess, 0)));
      return [row];
    });
    const [kind, text] = words.verdict(run);
    Object.assign(at("verdict"), { textContent: text, className: kind });
    const rate = words.fixed(run.accepted / run.n / run.chosen.chains);
    at("cost").textContent = run.n ? `Mean acceptance ${rate}; gradients ${run.gradients.toLocaleString("en")}; divergent ${run.divergences}.` : "";
    const axis = Number(at("axis").value);
    const history = run.history.map(({ n, of }) => ({ n, ...of[axis] }));
    drawing.growth(at("rhat"), { history, value: "rhat", limit: words.LIMITS.rhat, ceiling: 1.1, floor: 0.99 });
    drawing.growth(at("ess"), { history, value: "ess", limit: words.LIMITS.ess, ceiling: 500, floor: 0 });
  };

  const showStep = () => fill(at("arithmetic"), words.arithmetic(run), ([name, value]) => [element("dt", name), element("dd", value, name)]);

  /* What the plane shows of a step. Which point of a doubled trajectory is the draw stays open until decided. */
  const drawn = (step, chain) => {
    const point = run.density.point;
    const doubled = run.chosen.sampler === "nuts";
    const proposal = doubled && !run.decided ? run.states[chain] : step.proposal;
    return { points: step.path.map(point), proposed: point(proposal.z), accepted: step.accepted };
  };

  const latest = () => {
    const first = Math.max(0, run.n - Math.ceil(SHOWN / run.chosen.chains));
    return run.draws.flatMap(([x, y]) => x.slice(first).map((value, i) => [value, y[first + i]]));
  };

  const showPictures = () => {
    const { target, truth, density, states, draws, decided } = run;
    const image = at("density").checked ? (run.image ??= drawing.shade(run.levels)) : null;
    const chains = states.map((state) => density.point(state.z));
    drawing.plane(at("plane"), { target, image, draws: latest(), chains, decided, steps: run.steps?.map(drawn) ?? [] });
    const axis = Number(at("axis").value), lines = draws.map((pair) => pair[axis]);
    drawing.trace(at("trace"), { target, axis, lines });
    drawing.histogram(at("histogram"), { target, axis, lines, curve: at("truth").checked ? truth[axis].curve : [] });
  };

  const show = () => {
    at("propose").textContent = run.decided ? "Propose" : "Decide";
    at("propose").disabled = at("play").disabled = walk.finished(run);
    document.body.classList.toggle("no-truth", !at("truth").checked);
    showStep();
    showNumbers();
    showPictures();
  };

  const say = () => (at("summary").textContent = words.summary(run));

  /* --- what is done -------------------------------------------------------------------------------------- */

  const pause = () => {
    clearTimeout(timer);
    timer = null;
    at("play").textContent = "Play";
    at("play").setAttribute("aria-pressed", "false");
  };

  const stop = () => {
    pause();
    show();
    say();
  };

  const beat = (heard = 0, seen = 0) => {
    if (walk.finished(run)) return stop();
    const { pause: wait, each } = PACE[at("speed").value];
    const end = performance.now() + FRAME;
    if (wait > 500) run.decided ? walk.propose(run) : walk.decide(run);
    else for (let i = 0; each ? i < each : performance.now() < end; i += 1) if (!walk.finished(run)) walk.advance(run); else break;
    const now = performance.now();
    const due = now - seen > (calm.matches ? 1000 : each ? 0 : 120);
    if (due) show();
    const silent = now - heard < 4000;
    if (!silent) say();
    timer = setTimeout(beat, wait, silent ? heard : now, due ? now : seen);
  };

  const play = () => {
    if (timer !== null) return stop();
    at("play").textContent = "Pause";
    at("play").setAttribute("aria-pressed", "true");
    beat();
  };

  const stepOnce = () => {
    pause();
    if (run.decided) walk.propose(run);
    else walk.decide(run);
    show();
    say();
  };

  const complain = (error) => {
    if (!(error instanceof formula.FormulaError)) throw error;
    at("formula-error").textContent = `This formula cannot be used: ${error.message}.`;
    at("formula-field").open = true;
    at("propose").disabled = at("play").disabled = true;
  };

  const reset = () => {
    pause();
    if (!at("controls").checkValidity()) return;
    try {
      run = walk.begin(settings());
    } catch (error) {
      return complain(error);
    }
    at("formula-error").textContent = "";
    at("question").textContent = run.target.question;
    at("answer").textContent = run.target.answer;
    at("code").textContent = words.code(run);
    at("link").href = `?${address()}`;
    [...at("axis").options].forEach((option, axis) => (option.textContent = run.target.labels[axis]));
    show();
    say();
  };

  /* --- settings ------------------------------------------------------------------------------------------ */

  const settings = () => ({
    target: at("target").value,
    text: at("formula").value,
    window: at("window").valueAsNumber,
    sampler: at("sampler").value,
    stepSize: at("step").valueAsNumber,
    steps: at("steps").valueAsNumber,
    chains: Number(at("chains").value),
    start: at("start").value,
    seed: at("seed").valueAsNumber,
  });

  const FIELDS = ["target", "sampler", "step", "steps", "chains", "start", "seed", "window"];

  const address = () => {
    const values = FIELDS.map((id) => [id, at(id).value]);
    if (at("target").value === "own") values.push(["formula", at("formula").value]);
    return new URLSearchParams(values).toString();
  };

  const takeTarget = () => {
    const target = targets.TABLE[at("target").value];
    if (target) at("formula").value = target.text;
    else at("formula-field").open = true;
    at("window").disabled = Boolean(target);
  };

  const takeSampler = () => {
    const { step, steps, chains } = DEFAULTS[at("sampler").value];
    at("step").value = step;
    at("steps").value = steps;
    at("chains").value = chains;
    at("steps-field").hidden = !["hmc", "ensemble"].includes(at("sampler").value);
  };

  const alignRanges = () => {
    at("step-range").value = Math.log10(at("step").value);
    at("step-range").setAttribute("aria-valuetext", at("step").value);
    at("steps-range").value = at("steps").value;
  };

  /* Values from the address, where they are ones that the field can have. */
  const takeAddress = () => {
    const given = new URLSearchParams(window.location.search);
    const take = (id) => {
      const field = at(id), before = field.value;
      if (!given.has(id) || (field.type === "number" && !Number.isFinite(Number(given.get(id))))) return;
      field.value = given.get(id);
      if (field.value === "" || !field.checkValidity()) field.value = before;
    };
    take("target");
    take("sampler");
    takeTarget();
    takeSampler();
    FIELDS.slice(2).forEach(take);
    if (at("target").value === "own" && given.has("formula")) at("formula").value = given.get("formula");
  };

  const bind = () => {
    at("controls").addEventListener("submit", (event) => event.preventDefault());
    at("target").addEventListener("change", takeTarget);
    at("sampler").addEventListener("change", takeSampler);
    at("step-range").addEventListener("input", () => (at("step").value = Number((10 ** at("step-range").value).toPrecision(2))));
    at("steps-range").addEventListener("input", () => (at("steps").value = at("steps-range").value));
    at("formula").addEventListener("input", () => {
      at("target").value = "own";
      at("window").disabled = false;
    });
    at("controls").addEventListener("input", () => {
      alignRanges();
      reset();
    });
    at("propose").addEventListener("click", stepOnce);
    at("play").addEventListener("click", play);
    at("reset").addEventListener("click", reset);
    for (const id of ["axis", "density", "truth"]) at(id).addEventListener("change", show);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      run.image = null;
      show();
    });
    new ResizeObserver(() => run && show()).observe(at("plane"));
  };

  const open = () => {
    const names = [...Object.entries(targets.TABLE).map(([key, { name }]) => [key, name]), ["own", "A formula of your own"]];
    at("target").replaceChildren(...names.map(([value, text]) => Object.assign(element("option", text), { value })));
    at("functions").textContent = formula.FUNCTIONS.join(", ");
    Object.assign(at("window"), { value: 4 });
    Object.assign(at("seed"), { value: 1 });
    at("formula").value = "-x^2/2 - 2*(y - sin(2*x))^2";
    at("speed").value = calm.matches ? "fast" : "steady";
    takeAddress();
    alignRanges();
    bind();
    reset();
  };

  open();
  return { run: () => run, show };
})();
