/* The library's R-hat and effective sample size, of draws as a list of chains. */
"use strict";

const estimators = (() => {
  const BLOM = 3 / 8;

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values) => {
    if (values.length < 2) return NaN;
    const centre = mean(values);
    return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  };

  const polynomial = (x, ...terms) => terms.reduceRight((sum, term) => sum * x + term, 0);

  /* The normal quantile function for 1e-11 < p < 1 - 1e-11 (Wichura 1988, algorithm AS 241). */
  const quantile = (p) => {
    const q = p - 0.5;
    if (Math.abs(q) <= 0.425) {
      const r = 0.180625 - q * q;
      return (q * polynomial(r, 3.387132872796366608, 133.14166789178437745, 1971.5909503065514427,
        13731.693765509461125, 45921.953931549871457, 67265.770927008700853, 33430.575583588128105,
        2509.0809287301226727)) / polynomial(r, 1, 42.313330701600911252, 687.1870074920579083,
        5394.1960214247511077, 21213.794301586595867, 39307.89580009271061, 28729.085735721942674,
        5226.495278852854561);
    }
    const r = Math.sqrt(-Math.log(Math.min(p, 1 - p))) - 1.6;
    const far = polynomial(r, 1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055,
      3.64784832476320460504, 1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833,
      7.7454501427834140764e-4) / polynomial(r, 1, 2.05319162663775882187, 1.6763848301838038494,
      0.68976733498510000455, 0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4,
      1.05075007164441684324e-9);
    return Math.sign(q) * far;
  };

  /* First and second halves of all chains, without an odd middle draw. */
  const split = (chains) => {
    const half = Math.floor(chains[0].length / 2);
    return [...chains.map((chain) => chain.slice(0, half)), ...chains.map((chain) => chain.slice(-half))];
  };

  /* Normal quantiles of the ranks among all draws; ties share their mean rank. */
  const normalScores = (chains) => {
    const all = chains.flat();
    const order = all.map((_, i) => i).sort((i, j) => all[i] - all[j]);
    const scores = new Float64Array(all.length);
    for (let first = 0, last; first < all.length; first = last + 1) {
      for (last = first; all[order[last + 1]] === all[order[first]]; last += 1);
      const score = quantile(((first + last) / 2 + 1 - BLOM) / (all.length + 1 - 2 * BLOM));
      for (let i = first; i <= last; i += 1) scores[order[i]] = score;
    }
    const n = chains[0].length;
    return chains.map((_, c) => Array.from(scores.subarray(c * n, (c + 1) * n)));
  };

  /* Distances from the median of all draws. */
  const fold = (chains) => {
    const ordered = Float64Array.from(chains.flat()).sort();
    const middle = Math.floor(ordered.length / 2);
    const median = (ordered[middle] + ordered[ordered.length - middle - 1]) / 2;
    return chains.map((chain) => chain.map((value) => Math.abs(value - median)));
  };

  const scaleReduction = (chains) => {
    const n = chains[0].length;
    return Math.sqrt(variance(chains.map(mean)) / mean(chains.map(variance)) + (n - 1) / n);
  };

  const estimable = (chains) => {
    const all = chains.flat();
    return chains[0].length >= 4 && all.every(Number.isFinite) && all.some((value) => value !== all[0]);
  };

  /* Rank-normalised split R-hat (Vehtari and others, 2021). */
  const rhat = (chains) => {
    if (!estimable(chains)) return NaN;
    const halves = split(chains);
    const [bulk, folded] = [halves, fold(halves)].map((part) => scaleReduction(normalScores(part)));
    return Number.isNaN(folded) ? bulk : Math.max(bulk, folded);
  };

  /* The autocovariance at a lag, averaged over centred chains. */
  const autocovariance = (centred, lag) => {
    let sum = 0;
    for (const chain of centred) for (let i = lag; i < chain.length; i += 1) sum += chain[i] * chain[i - lag];
    return sum / centred.length / centred[0].length;
  };

  /* Sum of the autocorrelations over all lags by Geyer's initial monotone sequence. */
  const autocorrelationTime = (rho, n) => {
    const pairs = Math.max(Math.floor((n - 3) / 2), 0) + 1;
    let sum = 0, least = Infinity;
    for (let pair = 0; pair < pairs; pair += 1) {
      const even = rho(2 * pair), both = even + rho(2 * pair + 1);
      if (both <= 0 || pair === pairs - 1) return 2 * sum + (even > 0 || both >= 0 ? even : 0) - 1;
      least = Math.min(least, both);
      sum += least;
    }
    return NaN;
  };

  const effectiveSize = (chains) => {
    const n = chains[0].length, size = chains.length * n;
    const means = chains.map(mean);
    const centred = chains.map((chain, c) => Float64Array.from(chain, (value) => value - means[c]));
    const atZero = autocovariance(centred, 0);
    const within = (atZero * n) / (n - 1);
    const rho = (lag) => (lag ? 1 - (within - autocovariance(centred, lag)) / (atZero + variance(means)) : 1);
    return size / Math.max(autocorrelationTime(rho, n), 1 / Math.log10(size));
  };

  /* Effective sample size of the bulk of the draws. */
  const essBulk = (chains) => (estimable(chains) ? effectiveSize(normalScores(split(chains))) : NaN);

  return { rhat, essBulk, quantile, mean, variance };
})();
