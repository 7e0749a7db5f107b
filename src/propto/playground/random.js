/* The library's random numbers: Threefry under a key of two words, a stream and a counter. */
"use strict";

const random = (() => {
  const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];
  const PARITY = 0x1bd11bda;
  const ROUNDS = 20;
  const TERMS = 11; // of the Taylor series of the sine
  const UNIT = 2 ** -32;

  /* Threefry-2x32-20 (Salmon and others, 2011); all sums are modulo 2^32. */
  const threefry = (key, stream, counter) => {
    const keys = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let a = (stream + keys[0]) | 0, b = (counter + keys[1]) | 0;
    for (let i = 0; i < ROUNDS / 4; i += 1) {
      for (const distance of ROTATIONS[i % 2]) {
        a = (a + b) | 0;
        b = a ^ ((b << distance) | (b >>> (32 - distance)));
      }
      a = (a + keys[(i + 1) % 3]) | 0;
      b = (b + keys[(i + 2) % 3] + i + 1) | 0;
    }
    return [a >>> 0, b >>> 0];
  };

  const unit = (word) => (word + 0.5) * UNIT;

  const factorial = (n) => (n < 2 ? 1 : n * factorial(n - 1));
  const SINE = Array.from({ length: TERMS }, (_, k) => (k % 2 ? -1 : 1) / factorial(2 * k + 1));
  const sine = (x) => x * SINE.reduceRight((series, term) => series * x * x + term, 0);

  const foldIn = (key, data) => threefry(key, 0, data);

  /* The key of one phase of a run; seeds are whole numbers below 2^32. */
  const keyOf = (seed, phase) => foldIn([0, seed], phase);

  const uniform = (key, stream, counter = 0) => unit(threefry(key, stream, counter)[0]);

  const normals = (key, stream, n) =>
    Array.from({ length: n }, (_, counter) => {
      const [first, second] = threefry(key, stream, counter);
      return Math.sqrt(-2 * Math.log(unit(first))) * sine(Math.PI * (unit(second) - 0.5));
    });

  return { threefry, foldIn, keyOf, uniform, normals };
})();
