// The interval mechanism of ecoaudit.model.uncertainty: named factors with quasi-random scores that their name fixes.

const DRAWS = 4096;
const LOW_QUANTILE = 0.05;
const HIGH_QUANTILE = 0.95;

/** SHA-256's first four bytes, big-endian (FIPS 180-4): the seed of a factor's scores. */
function seedOf(name) {
  const rotate = (x, n) => (x >>> n) | (x << (32 - n));
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  const constants = primes.map((p) => fraction(Math.cbrt(p)));
  const state = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const message = new TextEncoder().encode(name);
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, message.length * 8);
  const words = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const near = rotate(words[i - 15], 7) ^ rotate(words[i - 15], 18) ^ (words[i - 15] >>> 3);
      const far = rotate(words[i - 2], 17) ^ rotate(words[i - 2], 19) ^ (words[i - 2] >>> 10);
      words[i] = (words[i - 16] + near + words[i - 7] + far) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const mixed = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const first = (h + mixed + ((e & f) ^ (~e & g)) + constants[i] + words[i]) | 0;
      const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) | 0));
  }
  return state[0] >>> 0;
}

/** A stream of 32-bit numbers: MT19937 (Matsumoto and Nishimura 1998) as NumPy's RandomState(seed) gives them. */
function mersenneTwister(seed) {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = 624;
  return () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** RandomState(seed).permutation(count): Fisher-Yates from the end, bounded numbers by masked rejection. */
function permutation(seed, count) {
  const next = mersenneTwister(seed);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = (next() & mask) >>> 0;
    while (j > i) j = (next() & mask) >>> 0;
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const horner = (coefficients, x) => coefficients.reduce((sum, c) => sum * x + c, 0);

/** Inverse of the standard normal distribution: algorithm AS 241, PPND16 (Wichura 1988). */
function inverseNormal(p) {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    const above = [2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
      13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608];
    const below = [5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
      5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1];
    return (q * horner(above, r)) / horner(below, r);
  }
  let r = Math.sqrt(-Math.log(q <= 0 ? p : 1 - p));
  let above, below;
  if (r <= 5) {
    r -= 1.6;
    above = [7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
      3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734];
    below = [1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
      0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1];
  } else {
    r -= 5;
    above = [2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
      0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772];
    below = [2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
      0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1];
  }
  const x = horner(above, r) / horner(below, r);
  return q < 0 ? -x : x;
}

const Z90 = inverseNormal(HIGH_QUANTILE);
const STRATA = Float64Array.from({ length: DRAWS }, (_, i) => inverseNormal((i + 0.5) / DRAWS));
const NOTHING = new Float64Array(0);
const knownScores = new Map();
let drawn = true;

/** Run `work` on central values alone, without draws and intervals: for comparing many choices quickly. */
function centrally(work) {
  const before = drawn;
  drawn = false;
  try {
    return work();
  } finally {
    drawn = before;
  }
}

/** The standard normal scores of the factor called `name`. */
function scores(name) {
  let found = knownScores.get(name);
  if (!found) {
    found = Float64Array.from(permutation(seedOf(name), DRAWS), (i) => STRATA[i]);
    knownScores.set(name, found);
  }
  return found;
}

/** NumPy's linear quantile of sorted numbers. */
function quantile(sorted, q) {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below];
  const high = sorted[Math.min(below + 1, sorted.length - 1)];
  return low + (high - low) * (place - below);
}

/** A central value with draws of what it may be and the names of the factors it depends on. */
class Uncertain {
  constructor(value, draws, factors) {
    this.value = value;
    this.draws = draws;
    this.factors = factors;
  }

  #with(other, combine) {
    const uncertain = other instanceof Uncertain;
    const value = combine(this.value, uncertain ? other.value : other);
    const draws = new Float64Array(this.draws.length);
    if (uncertain) for (let i = 0; i < draws.length; i++) draws[i] = combine(this.draws[i], other.draws[i]);
    else for (let i = 0; i < draws.length; i++) draws[i] = combine(this.draws[i], other);
    return new Uncertain(value, draws, uncertain ? new Set([...this.factors, ...other.factors]) : this.factors);
  }

  plus(other) { return this.#with(other, (a, b) => a + b); }
  minus(other) { return this.#with(other, (a, b) => a - b); }
  times(other) { return this.#with(other, (a, b) => a * b); }
  over(other) { return this.#with(other, (a, b) => a / b); }
  power(exponent) { return this.#with(exponent, (a, b) => Math.max(a, 0) ** b); }
  clipped(least, most) { return this.#with(0, (a) => Math.min(Math.max(a, least), most)); }

  /** The 5-95 % interval of the draws, widened where needed so that it contains the value. */
  interval() {
    if (!this.factors.size || !this.draws.length) return [this.value, this.value];
    const sorted = this.draws.slice().sort();
    return [
      Math.min(quantile(sorted, LOW_QUANTILE), this.value),
      Math.max(quantile(sorted, HIGH_QUANTILE), this.value),
    ];
  }

  quantity(unit, basis, source) {
    const [low, high] = this.interval();
    return { value: this.value, low, high, unit, basis, source };
  }
}

function exact(value) {
  return new Uncertain(value, drawn ? new Float64Array(DRAWS).fill(value) : NOTHING, new Set());
}

/** Factors `z` of the given names as median `value` with the 5-95 % interval, cut to physical limits. */
function shaped(z, names, [value, low, high], atLeast, atMost) {
  const draws = new Float64Array(z.length);
  for (let i = 0; i < draws.length; i++) {
    const width = z[i] < 0 ? value - low : high - value;
    draws[i] = Math.min(Math.max(value + (width * z[i]) / Z90, atLeast), atMost);
  }
  return new Uncertain(value, draws, new Set(names));
}

function factor(name, range, atLeast = -Infinity, atMost = Infinity) {
  return shaped(drawn ? scores(name) : NOTHING, [name], range, atLeast, atMost);
}

/** A factor around 1 that never falls below 0. */
function relative(name, halfWidth) {
  return factor(name, [1, 1 - halfWidth, 1 + halfWidth], 0);
}

/** Two factors joined by a Gaussian copula. */
function correlatedPair(name, first, second, correlation, firstAtLeast = 0, secondAtLeast = 0) {
  const names = [`${name}: first`, `${name}: second`];
  const shared = drawn ? scores(names[0]) : NOTHING;
  const other = drawn ? scores(names[1]) : NOTHING;
  const rest = Math.sqrt(1 - correlation ** 2);
  const mixed = shared.map((z, i) => correlation * z + rest * other[i]);
  return [
    shaped(shared, [names[0]], first, firstAtLeast, Infinity),
    shaped(mixed, names, second, secondAtLeast, Infinity),
  ];
}

/** Solve the symmetric system by Gaussian elimination with pivots on the diagonal (scores are near orthogonal). */
function solve(matrix, right) {
  const n = right.length;
  for (let k = 0; k < n; k++) {
    for (let i = k + 1; i < n; i++) {
      const by = matrix[i][k] / matrix[k][k];
      for (let j = k; j < n; j++) matrix[i][j] -= by * matrix[k][j];
      right[i] -= by * right[k];
    }
  }
  const x = new Array(n);
  for (let k = n - 1; k >= 0; k--) {
    let sum = right[k];
    for (let j = k + 1; j < n; j++) sum -= matrix[k][j] * x[j];
    x[k] = sum / matrix[k][k];
  }
  return x;
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** Each group's share of the spread of `result`, largest first; `groups` is a list of `[label, factor names]`. */
function shares(result, groups) {
  if (!result.draws.length) return [];
  const mean = result.draws.reduce((sum, x) => sum + x, 0) / DRAWS;
  const centred = result.draws.map((x) => x - mean);
  const variance = dot(centred, centred);
  const explained = [];
  for (const [label, names] of groups) {
    const columns = names.filter((name) => result.factors.has(name)).map(scores);
    if (!columns.length || variance === 0) continue;
    const gram = columns.map((a) => columns.map((b) => dot(a, b)));
    const fit = solve(gram, columns.map((a) => dot(a, centred)));
    const fitted = centred.map((_, i) => columns.reduce((sum, column, k) => sum + column[i] * fit[k], 0));
    explained.push([label, dot(fitted, fitted) / variance]);
  }
  const whole = explained.reduce((sum, [, part]) => sum + part, 0);
  if (!(whole > 0)) return [];
  return explained.sort((a, b) => b[1] - a[1]).map(([label, part]) => [label, part / whole]);
}
