/* A run: chains that start, propose, decide, and are diagnosed. */
"use strict";

const walk = (() => {
  const START = 0, SAMPLING = 1; // phases; draws come from the same keys as the library's
  const PLACE = 1; // a stream of random numbers
  const FEW_CHAINS = 8, LONG = 2000, SHORT = 500; // most draws of a chain, with few chains and with many

  /* The first place with a finite density, out of uniform ones in the window or in a corner of it. */
  const startOf = (density, { window: { centre, half }, centre: middle, scale }, chain, { seed, start }) => {
    const key = random.foldIn(random.keyOf(seed, START), chain);
    for (let attempt = 0; attempt < 1000; attempt += 1) {
      const z = [0, 1].map((axis) => {
        const u = random.uniform(key, PLACE, 2 * attempt + axis);
        const part = start === "corner" ? 0.5 + 0.3 * u : 1.6 * u - 0.8;
        return (centre[axis] + half[axis] * part - middle[axis]) / scale[axis];
      });
      const state = density.stateAt(z);
      if (Number.isFinite(state.logp)) return state;
    }
    throw new formula.FormulaError("no place with a finite log density was found in the window");
  };

  const begin = (chosen) => {
    const target = targets.TABLE[chosen.target] ?? targets.own(chosen.text, chosen.window);
    const read = formula.read(target.text);
    const density = samplers.density(read, target.centre, target.scale);
    const states = Array.from({ length: chosen.chains }, (_, c) => startOf(density, target, c, chosen));
    return {
      chosen, target, read, density, states, n: 0, steps: null, decided: true,
      keys: states.map((_, c) => random.foldIn(random.keyOf(chosen.seed, SAMPLING), c)),
      draws: states.map(() => [[], []]), history: [], accepted: 0, gradients: 0, divergences: 0,
      truth: targets.truth(target, read), levels: targets.levels(target, read, drawing.CELLS),
      most: chosen.chains > FEW_CHAINS ? SHORT : LONG,
    };
  };

  const propose = (run) => {
    const { chosen, density, keys, states, n } = run;
    const kernel = samplers.kernels[chosen.sampler];
    run.steps = states.map((state, c) => kernel(density, random.foldIn(keys[c], n), state, chosen));
    run.decided = false;
  };

  const decide = (run) => {
    run.steps.forEach((step, c) => {
      run.before = c ? run.before : run.states[0];
      run.states[c] = step.state;
      run.density.point(step.state.z).forEach((value, axis) => run.draws[c][axis].push(value));
      run.accepted += step.probability;
      run.gradients += step.gradients;
      run.divergences += step.diverging;
    });
    run.n += 1;
    run.decided = true;
  };

  const advance = (run) => {
    if (run.decided) propose(run);
    decide(run);
  };

  const finished = (run) => run.n >= run.most;

  /* Means, sds, R-hat and ESS of both coordinates. */
  const diagnose = (run) => {
    const of = [0, 1].map((axis) => {
      const lines = run.draws.map((draws) => draws[axis]);
      const all = lines.flat();
      return {
        mean: estimators.mean(all), sd: Math.sqrt(estimators.variance(all)),
        rhat: estimators.rhat(lines), ess: estimators.essBulk(lines),
      };
    });
    run.estimates = of;
    if (run.history.at(-1)?.n !== run.n) run.history.push({ n: run.n, of });
  };

  return { begin, propose, decide, advance, finished, diagnose };
})();
