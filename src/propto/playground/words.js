/* What a run looks like in words: the last decision, the verdict so far, the same as Python code. */
"use strict";

const words = (() => {
  const LIMITS = { rhat: 1.01, ess: 400 };

  /* A number with so many decimals, and no minus before nothing. */
  const fixed = (value, digits = 2) => {
    if (Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    return value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
  };

  const verdict = (run) => {
    const worst = Math.max(...run.estimates.map(({ rhat }) => rhat));
    const least = Math.min(...run.estimates.map(({ ess }) => ess));
    if (run.n < 4) return ["not", "R-hat needs at least 4 draws of each chain."];
    if (!(worst <= LIMITS.rhat)) return ["not", `Not yet: R-hat ${fixed(worst, 3)} is above ${LIMITS.rhat}.`];
    if (!(least >= LIMITS.ess)) return ["not", `The chains agree, but ${fixed(least, 0)} effective draws are fewer than ${LIMITS.ess}.`];
    if (run.divergences) return ["not", `R-hat and ESS pass, but ${run.divergences} transitions diverged: a place was not reached.`];
    return ["pass", run.chosen.chains === 1 ? "R-hat and ESS pass, for a single chain: do others agree?" : "R-hat and ESS pass."];
  };

  const word = (step) => (step.accepted ? "accepted" : "refused");

  const ofTrajectory = (step, decided) => [
    ["trajectory", `${step.gradients} steps`],
    ["change of energy ΔH", fixed(step.error, 4)],
    ["probability min(1, exp(−ΔH))", fixed(step.probability, 4)],
    ["u, uniform on (0, 1)", decided ? fixed(step.u, 4) : "?"],
    ["verdict", decided ? `${word(step)}, for u ${step.accepted ? "<" : "≥"} ${fixed(step.probability, 4)}` : "accepted or refused? Press Decide"],
  ];

  const ofMetropolis = (step, decided, before) => [
    ["log p, where it stands", fixed(before.logp, 4)],
    ["log p, proposed", fixed(step.proposal.logp, 4)],
    ["ratio p(proposed) / p(here)", fixed(Math.exp(step.proposal.logp - before.logp), 4)],
    ["u, uniform on (0, 1)", decided ? fixed(step.u, 4) : "?"],
    ["verdict", decided ? `${word(step)}, for u ${step.accepted ? "<" : "≥"} min(1, ratio)` : "accepted or refused? Press Decide"],
  ];

  const ofNuts = (step, decided) => [
    ["doublings", `${step.depth}, to ${step.gradients} steps`],
    ["ended by", step.diverging ? "a divergence" : step.turned ? "a U-turn" : "the limit of 10 doublings"],
    ["mean acceptance on the way", fixed(step.probability, 4)],
    ["verdict", decided ? `${step.accepted ? "one of its points is the draw" : "the draw stays where it was"}` : "which point? Press Decide"],
  ];

  const arithmetic = (run) => {
    if (!run.steps) return [["", "Nothing proposed yet."]];
    const [step] = run.steps;
    if (run.chosen.sampler === "nuts") return ofNuts(step, run.decided);
    if (run.chosen.sampler !== "metropolis") return ofTrajectory(step, run.decided);
    return ofMetropolis(step, run.decided, run.decided ? run.before : run.states[0]);
  };

  const summary = (run) => {
    const count = `${run.chosen.chains} chain${run.chosen.chains > 1 ? "s" : ""}, ${run.n} draw${run.n === 1 ? "" : "s"} of each`;
    if (!run.decided) return `${count}. A proposal lies on the table; its probability is ${fixed(run.steps[0].probability, 2)}.`;
    if (!run.n) return `${count}. Press Propose, or Play.`;
    const last = run.chosen.sampler === "nuts" ? "" : ` Chain 1: ${word(run.steps[0])}.`;
    const numbers = run.estimates.map((one, axis) => `${run.target.labels[axis]}: mean ${fixed(one.mean)}, R-hat ${fixed(one.rhat, 3)}, ESS ${fixed(one.ess, 0)}`);
    return `${count}.${last} ${numbers.join("; ")}.${walk.finished(run) ? " The run is complete." : ""}`;
  };

  const NAMES = { metropolis: "Metropolis", hmc: "HMC", nuts: "NUTS", ensemble: "Ensemble" };
  const code = (run) => {
    const { chosen, read } = run;
    const norm = read.python.includes("norm.") ? "from jax.scipy.stats import norm\n" : "";
    const terms = read.python.split(/(?= \+ )/).reduce((lines, term) => {
      if ((lines.at(-1) + term).length > 70) lines.push("       " + term);
      else lines[lines.length - 1] += term;
      return lines;
    }, [""]);
    return `import jax.numpy as jnp, propto as pp
${norm}
def log_p(x, y):
    return (
        ${terms.join("\n")}
    )

posterior = pp.Density(log_p, {"x": pp.real(), "y": pp.real()})
fit = pp.sample(posterior, sampler=pp.${NAMES[chosen.sampler]}(), seed=${chosen.seed})
pp.charts.traces(fit)
print(pp.diagnose(fit))`;
  };

  return { LIMITS, fixed, verdict, arithmetic, summary, code };
})();
