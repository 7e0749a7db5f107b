/* Reads a log density of x and y, and gives its value with its gradient, and itself as Python. */
"use strict";

const formula = (() => {
  class FormulaError extends Error {}

  const NAMES = { pi: Math.PI, e: Math.E };
  const LONGEST = 2000;
  const DEEPEST = 100;

  const logaddexp = (a, b) => {
    const top = Math.max(a, b);
    const sum = top === -Infinity ? top : top + Math.log(Math.exp(a - top) + Math.exp(b - top));
    return [sum, Math.exp(a - sum), Math.exp(b - sum)];
  };

  /* Every operation gives its value and its slope in each argument. */
  const OPERATIONS = {
    "+": (a, b) => [a + b, 1, 1],
    "-": (a, b) => [a - b, 1, -1],
    "*": (a, b) => [a * b, b, a],
    "/": (a, b) => [a / b, 1 / b, -a / (b * b)],
    "^": (a, b) => [a ** b, b * a ** (b - 1), a ** b * Math.log(a)],
    minus: (a) => [-a, -1],
    exp: (a) => [Math.exp(a), Math.exp(a)],
    log: (a) => [Math.log(a), 1 / a],
    sqrt: (a) => [Math.sqrt(a), 0.5 / Math.sqrt(a)],
    abs: (a) => [Math.abs(a), Math.sign(a)],
    sin: (a) => [Math.sin(a), Math.cos(a)],
    cos: (a) => [Math.cos(a), -Math.sin(a)],
    tanh: (a) => [Math.tanh(a), 1 - Math.tanh(a) ** 2],
    min: (a, b) => [Math.min(a, b), a <= b ? 1 : 0, a <= b ? 0 : 1],
    max: (a, b) => [Math.max(a, b), a >= b ? 1 : 0, a >= b ? 0 : 1],
    logaddexp,
    normal: (v, mean, sd) => {
      const z = (v - mean) / sd;
      return [-0.5 * z * z - Math.log(sd), -z / sd, z / sd, (z * z - 1) / sd];
    },
    within: (v, low, high) => [v >= low && v <= high ? 0 : -Infinity, 0, 0, 0],
  };
  const FUNCTIONS = Object.keys(OPERATIONS).filter((name) => /^[a-z]{3,}$/.test(name) && name !== "minus");

  const SIGNS = { "+": [1, " + "], "-": [1, " - "], "*": [2, " * "], "/": [2, " / "], "^": [4, "**"] };
  const PYTHON = {
    abs: (a) => `jnp.abs(${a})`,
    min: (a, b) => `jnp.minimum(${a}, ${b})`,
    max: (a, b) => `jnp.maximum(${a}, ${b})`,
    normal: (v, mean, sd) => `norm.logpdf(${v}, ${mean}, ${sd})`,
    within: (v, low, high) => `jnp.where((${v} >= ${low}) & (${v} <= ${high}), 0, -jnp.inf)`,
  };

  const TOKEN = /\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|([a-z]\w*)|(\*\*|[-+*/^(),]))/iy;

  const tokens = (text) => {
    const found = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const at = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (!match) throw new FormulaError(`“${text.slice(at).trim()[0]}” has no meaning here`);
      const [, number, name, sign] = match;
      found.push({ number, name: name?.toLowerCase(), sign: sign === "**" ? "^" : sign });
    }
    return found;
  };

  /* Descent by precedence; gives a tree of {operation, parts}, {number} and {variable}. */
  const parse = (text) => {
    if (text.length > LONGEST) throw new FormulaError(`longer than ${LONGEST} signs`);
    const list = tokens(text);
    let at = 0, depth = 0;

    const shown = () => {
      const token = list[at];
      return token ? `“${token.number ?? token.name ?? token.sign}”` : "the end";
    };
    const takes = (...signs) => (signs.includes(list[at]?.sign) ? list[at++].sign : null);
    const need = (sign) => {
      if (!takes(sign)) throw new FormulaError(`expected “${sign}” where ${shown()} stands`);
    };

    const chain = (signs, part) => () => {
      let tree = part();
      for (let sign = takes(...signs); sign; sign = takes(...signs)) {
        tree = { operation: sign, parts: [tree, part()] };
      }
      return tree;
    };
    const signed = () => {
      if (takes("-")) return { operation: "minus", parts: [nested(signed)] };
      return takes("+") ? nested(signed) : power();
    };
    const power = () => {
      const base = atom();
      return takes("^") ? { operation: "^", parts: [base, nested(signed)] } : base;
    };
    const sum = chain(["+", "-"], chain(["*", "/"], signed));
    const nested = (part) => {
      depth += 1;
      if (depth > DEEPEST) throw new FormulaError("nested too deeply");
      const tree = part();
      depth -= 1;
      return tree;
    };

    const call = (name) => {
      const parts = [];
      need("(");
      do parts.push(nested(sum));
      while (takes(","));
      need(")");
      const wanted = OPERATIONS[name].length;
      if (parts.length !== wanted) throw new FormulaError(`${name} takes ${wanted} values, not ${parts.length}`);
      return { operation: name, parts };
    };
    const named = (name) => {
      if (name === "x" || name === "y") return { variable: name };
      if (Object.hasOwn(NAMES, name)) return { number: NAMES[name] };
      if (FUNCTIONS.includes(name)) return call(name);
      throw new FormulaError(`“${name}” is not known; there are x, y, pi, e and ${FUNCTIONS.join(", ")}`);
    };
    const atom = () => {
      if (takes("(")) {
        const inner = nested(sum);
        need(")");
        return inner;
      }
      const token = list[at];
      if (!token || token.sign) throw new FormulaError(`expected a number, x, y or a function where ${shown()} stands`);
      at += 1;
      return token.number === undefined ? named(token.name) : { number: Number(token.number) };
    };

    const tree = sum();
    if (at < list.length) throw new FormulaError(`expected an operation such as * before ${shown()}`);
    return tree;
  };

  /* Forward derivatives: what does not depend on x adds nothing to the slope in x, even by an infinite slope. */
  const times = (slope, tangent) => (tangent === 0 ? 0 : slope * tangent);

  /* A function of x and y that gives [value, slope in x, slope in y]. */
  const compile = (tree) => {
    if (tree.number !== undefined) return () => [tree.number, 0, 0];
    if (tree.variable) return tree.variable === "x" ? (x) => [x, 1, 0] : (x, y) => [y, 0, 1];
    const operation = OPERATIONS[tree.operation];
    const parts = tree.parts.map(compile);
    return (x, y) => {
      const values = parts.map((part) => part(x, y));
      const [value, ...slopes] = operation(...values.map((part) => part[0]));
      const along = (axis) => slopes.reduce((sum, slope, i) => sum + times(slope, values[i][axis]), 0);
      return [value, along(1), along(2)];
    };
  };

  /* How tightly a tree holds together in Python, where signs bind as they do here. */
  const level = ({ operation }) => (operation === "minus" ? 3 : (SIGNS[operation]?.[0] ?? 5));

  const python = (tree) => {
    if (tree.number !== undefined) return String(tree.number);
    if (tree.variable) return tree.variable;
    const { operation, parts } = tree;
    const inside = (part, least) => (level(part) < least ? `(${python(part)})` : python(part));
    if (operation === "minus") return `-${inside(parts[0], 3)}`;
    if (operation === "^") return `${inside(parts[0], 5)}**${inside(parts[1], 3)}`;
    if (SIGNS[operation]) {
      const [own, sign] = SIGNS[operation];
      return inside(parts[0], own) + sign + inside(parts[1], own + 1);
    }
    const words = parts.map(python);
    return PYTHON[operation]?.(...words) ?? `jnp.${operation}(${words.join(", ")})`;
  };

  const read = (text) => {
    const tree = parse(text);
    return { text, at: compile(tree), python: python(tree) };
  };

  return { read, FUNCTIONS, FormulaError };
})();
