/* What there is to sample from, and its exact moments and marginals by quadrature. */
"use strict";

const targets = (() => {
  const SCHOOLS = [[28, 15], [8, 10], [-3, 16], [7, 11], [-1, 9], [1, 11], [18, 10], [12, 18]];
  const PLAIN = { labels: ["x", "y"], centre: [0, 0], scale: [1, 1] };

  /* A window is its centre and its half-widths. Quadrature goes as far as `reach`, by default three windows;
     its nodes crowd towards the centre, the more the larger `bend` is. */
  const TABLE = {
    banana: {
      ...PLAIN,
      name: "Banana",
      text: "normal(x, 0, 1.5) + normal(y, x^2/2 - 1, 0.5)",
      window: { centre: [0, 2.5], half: [5, 5] },
      reach: [12, 40],
      question: "Metropolis with small steps, HMC with long ones: which sees both ends of the banana first?",
      answer: "HMC flows along the ridge; a random walk of small steps needs about (length / step)² of them.",
    },
    funnel: {
      ...PLAIN,
      name: "Funnel",
      text: "normal(y, 0, 3) + normal(x, 0, exp(y/2))",
      window: { centre: [0, 0], half: [14, 9] },
      reach: [1000, 18],
      question: "One step size for the wide mouth and the thin neck: where will the chain fail to go?",
      answer: "In the neck. Steps that suit the mouth are refused or diverge there; R-hat may look fine meanwhile. Compare the mean of y with the true one.",
    },
    modes: {
      ...PLAIN,
      name: "Two modes",
      text: "logaddexp(normal(y, -3, 1), normal(y, 3, 1)) + normal(x, 0, 1)",
      window: { centre: [0, 0], half: [6.5, 6.5] },
      question: "Start everywhere, then all in one corner: when does R-hat of y tell that something is wrong?",
      answer: "Only when chains start in different modes. From one corner they can agree with each other and miss half of the mass.",
    },
    donut: {
      ...PLAIN,
      name: "Donut",
      text: "normal(sqrt(x^2 + y^2), 3, 0.4)",
      window: { centre: [0, 0], half: [5, 5] },
      question: "The means are 0, where the density is lowest. How does each sampler get round the ring?",
      answer: "Trajectories run along the ring; Metropolis creeps, for a large step falls off the ridge.",
    },
    toy: {
      ...PLAIN,
      name: "The toy of lesson 3",
      text: "log(3*exp(-x^2/2) + 7*exp(-y^2/2) - exp(-(x*y)^2/2)) + within(x, -2, 2) + within(y, -3, 3)",
      window: { centre: [0, 0], half: [3.5, 3.5] },
      reach: [2, 3],
      bend: 0.1,
      question: "Outside of the box the density is 0. What becomes of a proposal that lands there?",
      answer: "Its ratio is 0: it is refused, and the chain's place is counted once more.",
    },
    schools: {
      ...PLAIN,
      name: "Eight Schools: (mu, log tau)",
      text: [
        ...SCHOOLS.map(([effect, error]) => `normal(${effect}, x, sqrt(${error}^2 + exp(2*y)))`),
        "normal(x, 8.75, 20) + y + within(exp(y), 0, 100)",
      ].join(" + "),
      labels: ["mu", "log tau"],
      centre: [8, 1.5],
      scale: [5, 1],
      window: { centre: [8, 1], half: [24, 5] },
      question: "The effects are integrated out, two numbers are left. How far down does log tau go?",
      answer: "Far: the data cannot tell a tau of 1 from 0.1. Steps are in units of 5 for mu and 1 for log tau.",
    },
  };

  const own = (text, half) => ({
    ...PLAIN,
    name: "A formula of your own",
    text,
    window: { centre: [0, 0], half: [half, half] },
    question: "Which sampler suits it, and how do you know that it has seen all of it?",
    answer: "Chains from different starts must agree; and a window twice as wide must hold no more mass.",
  });

  const NODES = 201;
  const BEND = 10;

  /* Nodes with their weights, by the trapezoid rule in u where a node lies at sinh(bend u). */
  const nodes = (centre, reach, bend) =>
    Array.from({ length: NODES }, (_, i) => {
      const u = (2 * i) / (NODES - 1) - 1;
      const end = i === 0 || i === NODES - 1 ? 0.5 : 1;
      return {
        at: centre + (reach * Math.sinh(bend * u)) / Math.sinh(bend),
        weight: end * reach * Math.cosh(bend * u),
      };
    });

  const moments = (line) => {
    const total = line.reduce((sum, { mass }) => sum + mass, 0);
    const mean = line.reduce((sum, { at, mass }) => sum + at * mass, 0) / total;
    const square = line.reduce((sum, { at, mass }) => sum + (at - mean) ** 2 * mass, 0) / total;
    return { mean, sd: Math.sqrt(square) };
  };

  /* For x and y each: mean, sd, and the marginal as a curve of points. */
  const truth = (target, formula) => {
    const { centre, half } = target.window;
    const reach = target.reach ?? half.map((width) => 3 * width);
    const lines = centre.map((middle, axis) => nodes(middle, reach[axis], target.bend ?? BEND));
    const logp = lines[0].map((x) => lines[1].map((y) => formula.at(x.at, y.at)[0]));
    const top = logp.reduce((most, row) => row.reduce((a, b) => (b > a ? b : a), most), -Infinity);
    const p = (i, j) => Math.exp(logp[i][j] - top) || 0;
    return lines.map((line, axis) => {
      const density = line.map((_, i) =>
        lines[1 - axis].reduce((sum, { weight }, j) => sum + weight * (axis ? p(j, i) : p(i, j)), 0));
      const massed = line.map(({ at, weight }, i) => ({ at, mass: weight * density[i] }));
      const steps = line.slice(1).map(({ at }, i) => 0.5 * (at - line[i].at) * (density[i] + density[i + 1]));
      const area = steps.reduce((sum, step) => sum + step, 0);
      return { ...moments(massed), curve: line.map(({ at }, i) => ({ at, density: density[i] / area })) };
    });
  };

  /* For every cell of a picture, the share of the window's mass that lies in cells at least as dense. */
  const levels = ({ window: { centre, half } }, formula, size) => {
    const p = new Float64Array(size * size);
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) {
        const x = centre[0] + half[0] * ((2 * column + 1) / size - 1);
        const y = centre[1] - half[1] * ((2 * row + 1) / size - 1);
        const value = formula.at(x, y)[0];
        p[row * size + column] = Number.isNaN(value) ? -Infinity : value;
      }
    }
    const order = p.map((_, i) => i).sort((i, j) => p[j] - p[i]);
    const top = p[order[0]];
    const total = p.reduce((sum, value) => sum + Math.exp(value - top), 0);
    const share = new Float64Array(p.length);
    let above = 0;
    for (const i of order) {
      above += Math.exp(p[i] - top) / total;
      share[i] = p[i] === -Infinity ? 2 : above;
    }
    return share;
  };

  return { TABLE, own, truth, levels };
})();
