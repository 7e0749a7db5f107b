/* The library's transitions, one chain each, and what there is to see of them: (density, key, state, options) to a step. */
"use strict";

const samplers = (() => {
  const DIVERGENCE = 1000;
  const MAX_DEPTH = 10;
  // Streams of random numbers, as the library names them.
  const MOVE = 1, ACCEPT = 2, JITTER = 3, DIRECTION = 2, JOIN = 3, LEAF = 4;

  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const plus = (a, b, factor = 1) => a.map((value, i) => value + factor * b[i]);
  const logaddexp = (a, b) => {
    const top = Math.max(a, b);
    return top === -Infinity ? top : top + Math.log1p(Math.exp(-Math.abs(a - b)));
  };

  /* min(1, exp(r)); an undefined ratio is never accepted. */
  const acceptance = (logRatio) => (Number.isNaN(logRatio) ? 0 : Math.exp(Math.min(logRatio, 0)));

  /* A log density of z where the formula's point is centre + scale z, with its gradient. */
  const density = (formula, centre, scale) => {
    const point = (z) => z.map((value, i) => centre[i] + scale[i] * value);
    const stateAt = (z) => {
      const [x, y] = point(z);
      if (!Number.isFinite(x) || !Number.isFinite(y)) return { z, logp: -Infinity, gradient: [0, 0] };
      const [logp, ...slopes] = formula.at(x, y);
      return { z, logp, gradient: slopes.map((slope, i) => slope * scale[i]) };
    };
    return { stateAt, point };
  };

  const metropolis = (density, key, state, { stepSize }) => {
    const own = random.foldIn(key, 0); // the key of the first proposal of a draw
    const proposal = density.stateAt(plus(state.z, random.normals(own, MOVE, state.z.length), stepSize));
    const probability = acceptance(proposal.logp - state.logp);
    const u = random.uniform(own, ACCEPT);
    const accepted = u < probability;
    return {
      state: accepted ? proposal : state, probability, u, accepted, proposal,
      path: [state.z, proposal.z], gradients: 0, diverging: false,
    };
  };

  const energy = (phase) => {
    const h = 0.5 * dot(phase.momentum, phase.momentum) - phase.state.logp;
    return Number.isNaN(h) ? Infinity : h;
  };

  /* Half a kick, a drift, half a kick. */
  const leapfrog = (density, { state, momentum }, stepSize) => {
    const halfWay = plus(momentum, state.gradient, 0.5 * stepSize);
    const next = density.stateAt(plus(state.z, halfWay, stepSize));
    return { state: next, momentum: plus(halfWay, next.gradient, 0.5 * stepSize) };
  };

  /* Half a kick by what the density differs from a standard normal one, a rotation, half a kick. */
  const rotate = (density, { state, momentum }, angle) => {
    const kicked = plus(momentum, plus(state.gradient, state.z), 0.5 * angle);
    const cosine = Math.cos(angle), sine = Math.sin(angle);
    const next = density.stateAt(state.z.map((z, i) => cosine * z + sine * kicked[i]));
    const turned = kicked.map((p, i) => cosine * p - sine * state.z[i]);
    return { state: next, momentum: plus(turned, plus(next.gradient, next.z), 0.5 * angle) };
  };

  /* A trajectory of n steps from a fresh momentum, whose end is accepted or refused as a whole. */
  const trajectory = (integrate, density, key, state, stepSize, n) => {
    const start = { state, momentum: random.normals(key, MOVE, state.z.length) };
    const path = [state.z];
    let end = start;
    for (let i = 0; i < n; i += 1) {
      end = integrate(density, end, stepSize);
      path.push(end.state.z);
    }
    const error = energy(end) - energy(start);
    const probability = acceptance(-error);
    const u = random.uniform(key, ACCEPT);
    const accepted = u < probability;
    return {
      state: accepted ? end.state : state, probability, u, accepted, proposal: end.state,
      path, gradients: n, error, diverging: error > DIVERGENCE,
    };
  };

  const hmc = (density, key, state, { stepSize, steps }) => {
    const jittered = stepSize * (0.8 + 0.4 * random.uniform(key, JITTER));
    return trajectory(leapfrog, density, key, state, jittered, steps);
  };

  const ensemble = (density, key, state, { stepSize, steps }) => {
    const small = random.uniform(key, JITTER, 1) < 0.125 ? 0.15 : 1;
    const angle = stepSize * (0.75 + 0.5 * random.uniform(key, JITTER)) * small;
    return trajectory(rotate, density, key, state, angle, steps);
  };

  const turning = (a, b, rho) => dot(a, rho) <= 0 || dot(b, rho) <= 0;
  const total = (momenta) => momenta.reduce((sum, momentum) => plus(sum, momentum));

  /* Whether any part of 2, 4, 8, ... leaves that ends here has turned, as a whole or across its middle. */
  const closesATurn = (momenta) => {
    for (let size = 2; momenta.length % size === 0; size *= 2) {
      const part = momenta.slice(-size), half = size / 2;
      const first = total(part.slice(0, half)), second = total(part.slice(half));
      const [start, before, after, end] = [part[0], part[half - 1], part[half], part[size - 1]];
      if (turning(start, end, plus(first, second))) return true;
      if (turning(start, after, plus(first, after)) || turning(before, end, plus(second, before))) return true;
    }
    return false;
  };

  /* 2^depth leaves in one direction, fewer after a turn or a divergence. */
  const grow = (density, key, start, stepSize, depth, initial) => {
    const tree = { end: start, momenta: [], path: [], logWeight: -Infinity, chosen: start.state, sum: 0 };
    tree.turning = tree.diverging = false;
    for (let i = 0; i < 2 ** depth && !tree.turning && !tree.diverging; i += 1) {
      tree.end = leapfrog(density, tree.end, stepSize);
      tree.momenta.push(tree.end.momentum);
      tree.path.push(tree.end.state.z);
      const logWeight = initial - energy(tree.end);
      tree.logWeight = logaddexp(tree.logWeight, logWeight);
      if (Math.log(random.uniform(key, LEAF + depth, i)) < logWeight - tree.logWeight) tree.chosen = tree.end.state;
      tree.turning = closesATurn(tree.momenta);
      tree.diverging = -logWeight > DIVERGENCE;
      tree.sum += acceptance(logWeight);
    }
    return tree;
  };

  /* The no-U-turn sampler: the trajectory doubles until it turns; the draw is chosen from all of it. */
  const nuts = (density, key, state, { stepSize, maxDepth = MAX_DEPTH }) => {
    const start = { state, momentum: random.normals(key, MOVE, state.z.length) };
    const initial = energy(start);
    let left = start, right = start, rho = start.momentum, chosen = state, logWeight = 0;
    let before = [], after = [], sum = 0, depth = 0, turned = false, diverging = false;
    for (; depth < maxDepth && !turned && !diverging; depth += 1) {
      const forwards = random.uniform(key, DIRECTION, depth) < 0.5;
      const tree = grow(density, key, forwards ? right : left, forwards ? stepSize : -stepSize, depth, initial);
      const [near, far] = (forwards ? [right, left] : [left, right]).map((end) => end.momentum);
      const added = total(tree.momenta), first = tree.momenta[0];
      const whole = !tree.turning && !tree.diverging;
      turned = tree.turning || turning(far, tree.end.momentum, plus(rho, added)) ||
        turning(far, first, plus(rho, first)) || turning(near, tree.end.momentum, plus(added, near));
      diverging = tree.diverging;
      if (whole && Math.log(random.uniform(key, JOIN, depth)) < tree.logWeight - logWeight) chosen = tree.chosen;
      logWeight = logaddexp(logWeight, tree.logWeight);
      rho = plus(rho, added);
      sum += tree.sum;
      if (forwards) [right, after] = [tree.end, [...after, ...tree.path]];
      else [left, before] = [tree.end, [...tree.path.reverse(), ...before]];
    }
    const leaves = before.length + after.length;
    return {
      state: chosen, probability: sum / leaves, accepted: chosen !== state, proposal: chosen,
      path: [...before, state.z, ...after], gradients: leaves, depth, turned, diverging,
    };
  };

  return { density, kernels: { metropolis, hmc, nuts, ensemble } };
})();
