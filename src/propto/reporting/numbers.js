/* Recomputes the posterior from its grid: mixtures of normals, and numbers written as the engine's report writes them. */
(() => {
  "use strict";

  const bell = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

  // The normal distribution function by its series of positive terms (Marsaglia 2004): no digit is lost.
  const below = (z) => {
    if (z < -8) return 0;
    if (z > 8) return 1;
    let sum = z, term = z;
    for (let i = 3; sum + term !== sum; i += 2) sum += term *= (z * z) / i;
    return 0.5 + sum * bell(z);
  };

  /* A mixture of normals: `weights`, `means` and `sds` of equal length. */
  class Mixture {
    constructor(weights, means, sds) {
      Object.assign(this, { weights, means, sds });
    }

    total(value) {
      let sum = 0;
      for (let i = 0; i < this.weights.length; i += 1) sum += this.weights[i] * value(i);
      return sum;
    }

    mean() {
      return this.total((i) => this.means[i]);
    }

    sd() {
      const mean = this.mean();
      return Math.sqrt(this.total((i) => this.sds[i] ** 2 + (this.means[i] - mean) ** 2));
    }

    below(x) {
      return this.total((i) => below((x - this.means[i]) / this.sds[i]));
    }

    density(x) {
      return this.total((i) => bell((x - this.means[i]) / this.sds[i]) / this.sds[i]);
    }

    /* Newton's method, kept inside a bracket that every step narrows. */
    quantile(level) {
      const z = [0.05, 0.25, 0.5, 0.75, 0.95].indexOf(level);
      const reach = [-1.6448536269514722, -0.6744897501960817, 0, 0.6744897501960817, 1.6448536269514722][z];
      let low = Infinity, high = -Infinity;
      for (let i = 0; i < this.means.length; i += 1) {
        const end = this.means[i] + reach * this.sds[i];
        if (end < low) low = end;
        if (end > high) high = end;
      }
      let x = this.total((i) => this.means[i] + reach * this.sds[i]);
      for (let step = 0; step < 60 && high - low > 1e-12 * (Math.abs(low) + Math.abs(high)); step += 1) {
        const gap = this.below(x) - level;
        if (gap > 0) high = x;
        else low = x;
        const next = x - gap / this.density(x);
        const inside = next > low && next < high;
        if (inside && Math.abs(next - x) < 1e-10 * (high - low + Math.abs(x))) return next;
        x = inside ? next : (low + high) / 2;
      }
      return x;
    }
  }

  /* The posterior under one prior, with all groups or without one. */
  class Posterior {
    constructor(facts, prior, without) {
      const grid = facts.grid;
      const row = without < 0 ? 0 : 1 + grid.without.indexOf(without);
      const log = grid.tau.map((_, i) => grid.log_prior[prior][i] + grid.log_likelihood[row][i]);
      const top = Math.max(...log);
      const kept = log.map((value, i) => i).filter((i) => log[i] > top - 30);
      const share = kept.map((i) => Math.exp(log[i] - top));
      const sum = share.reduce((a, b) => a + b, 0);
      const pick = (values) => Float64Array.from(kept, (i) => values[i]);
      Object.assign(this, { facts, without });
      this.weights = Float64Array.from(share, (value) => value / sum);
      this.tau = pick(grid.tau);
      this.muMean = pick(grid.mu_mean[row]);
      this.muVariance = pick(grid.mu_variance[row]);
      this.tauQuantiles = grid.tau_quantiles[prior][row];
      this.moments = facts.exists[without < 0 ? 0 : 1];
    }

    mixture(mean, variance) {
      return new Mixture(this.weights, Float64Array.from(this.tau, mean), Float64Array.from(this.tau, (tau, i) => Math.sqrt(variance(tau, i))));
    }

    /* A group's effect is a compromise between mu and its own estimate; without an estimate it is a new group. */
    theta(j) {
      if (j === this.without) return this.newGroup();
      const y = this.facts.estimate[j], v = this.facts.error[j] ** 2;
      return this.mixture(
        (tau, i) => (v * this.muMean[i] + tau * tau * y) / (v + tau * tau),
        (tau, i) => (v * tau * tau) / (v + tau * tau) + (v / (v + tau * tau)) ** 2 * this.muVariance[i],
      );
    }

    mu() {
      return this.mixture((_, i) => this.muMean[i], (_, i) => this.muVariance[i]);
    }

    newGroup() {
      return this.mixture((_, i) => this.muMean[i], (tau, i) => this.muVariance[i] + tau * tau);
    }

    shrinkage(j) {
      const v = this.facts.error[j] ** 2;
      return this.weights.reduce((sum, weight, i) => sum + (weight * v) / (v + this.tau[i] ** 2), 0);
    }

    /* Mean, sd and the quantiles at 5, 25, 50, 75 and 95 %; moments that do not exist are NaN. */
    summary(mixture, moments = 2) {
      const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95].map((level) => mixture.quantile(level));
      return { mean: moments > 0 ? mixture.mean() : NaN, sd: moments > 1 ? mixture.sd() : NaN, quantiles };
    }

    whole() {
      const add = (f) => this.weights.reduce((sum, weight, i) => sum + weight * f(this.tau[i]), 0);
      const mean = this.moments.tau > 0 ? add((tau) => tau) : NaN;
      const sd = this.moments.tau > 1 ? Math.sqrt(add((tau) => (tau - mean) ** 2)) : NaN;
      return {
        mu: this.summary(this.mu(), this.moments.mu),
        tau: { mean, sd, quantiles: this.tauQuantiles },
        new: this.summary(this.newGroup(), this.moments.tau),
      };
    }
  }

  // Numbers as the report writes them: no digit that the error cannot support, and a real minus sign.
  const minus = (text) => {
    const short = text.replace(/e\+?(-?)0*/, "e$1");
    return (/^-[0.]+$/.test(short) ? short.slice(1) : short).replaceAll("-", "−");
  };

  const number = (value, error, digits = 2) => {
    if (Number.isNaN(value)) return "–";
    const scale = Number.isFinite(error) && error !== 0 ? Math.abs(error) : Math.abs(value) || 1;
    const decimals = digits - 1 - Math.floor(Math.log10(scale));
    if (decimals < -6 || decimals > 7) return minus(value.toExponential(digits));
    if (decimals >= 0) return minus(value.toFixed(decimals));
    const unit = 10 ** -decimals;
    return minus(String(Math.round(value / unit) * unit));
  };

  const span = (low, high, error) => `${number(low, error)} to ${number(high, error)}`;

  const probability = (p) => {
    if (p > 0.999) return "> 0.999";
    if (p < 0.001) return "< 0.001";
    return p > 0.99 || p < 0.01 ? p.toFixed(3) : p.toFixed(2);
  };

  // The sd, or what the 90 % interval makes of it where there is none.
  const scaleOf = ({ sd, quantiles }) => (Number.isFinite(sd) ? sd : (quantiles[4] - quantiles[0]) / 3.2897072539029444);
  const centreOf = ({ mean, quantiles }) => (Number.isFinite(mean) ? mean : quantiles[2]);

  globalThis.propto = { Posterior, number, span, probability, scaleOf, centreOf, minus };
})();
