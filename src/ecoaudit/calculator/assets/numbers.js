// Numbers as text, digit for digit as Python's format() writes them: notes and sources must read the same.

/** Fixed-point digits of `write(digits)`, with exact ties going to the even neighbour as in Python. */
function roundHalfEven(write, digits, more) {
  const longer = write(digits + more);
  const [mantissa, exponent = ""] = longer.split("e");
  const tail = mantissa.slice(-more);
  if (!/^50*$/.test(tail)) return write(digits);
  let kept = mantissa.slice(0, -more);
  if (kept.endsWith(".")) kept = kept.slice(0, -1);
  const last = Number(kept.at(-1));
  if (last % 2 === 0) return kept + (exponent && "e" + exponent);
  return write(digits); // JavaScript rounds a tie up, which is even here
}

/** `:.{digits}f` */
function fixed(value, digits) {
  return roundHalfEven((d) => value.toFixed(Math.min(100, d)), digits, 30);
}

/** `:.{significant}g`; `:g` is six digits. */
function general(value, significant = 6) {
  if (value === 0) return "0";
  const written = roundHalfEven((d) => value.toExponential(Math.min(100, d)), significant - 1, 30);
  const [mantissa, power] = written.split("e");
  const exponent = Number(power);
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= significant) {
    return trim(mantissa) + "e" + (exponent < 0 ? "-" : "+") + String(Math.abs(exponent)).padStart(2, "0");
  }
  return trim(Number(written).toFixed(Math.max(0, significant - 1 - exponent)));
}

/** Thousands separated by commas. */
function grouped(text) {
  const [whole, part] = text.split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
}

/** A number to so many significant digits, without exponent, thousands separated. */
function amount(value, significant = 3) {
  if (value === 0) return "0";
  const digits = significant - 1 - Math.floor(Math.log10(Math.abs(value)));
  const scale = 10 ** -digits;
  const rounded = digits > 0 ? value : Math.round(value / scale) * scale;
  return grouped(rounded.toFixed(Math.min(100, Math.max(0, digits))));
}

const SCALES = {
  kWh: [[1e6, "GWh"], [1e3, "MWh"], [1, "kWh"]],
  kgCO2e: [[1e3, "t CO₂e"], [1, "kg CO₂e"], [1e-3, "g CO₂e"]],
  FLOP: [[1e24, "YFLOP"], [1e21, "ZFLOP"], [1e18, "EFLOP"], [1e15, "PFLOP"]],
  W: [[1e6, "MW"], [1e3, "kW"], [1, "W"]],
};

/** The multiple of a unit that suits a value: `[factor, name]`. */
function scaleOf(value, unit) {
  const scales = SCALES[unit];
  if (!scales) return [1, unit === "1" || unit === "USD" ? "" : unit.replace("gCO2e/", "g CO₂e/")];
  return scales.find(([size]) => (value ? value >= size : size === 1)) ?? scales.at(-1);
}

/** A quantity's value with its unit. */
function show(quantity) {
  if (!quantity) return "not known";
  const [size, unit] = scaleOf(quantity.value, quantity.unit);
  return (quantity.unit === "USD" ? "$" : "") + amount(quantity.value / size) + (unit && " " + unit);
}

/** A quantity's 90 % range in the value's own multiple, or that it has none. */
function showRange(quantity) {
  if (!quantity) return "";
  if (quantity.low === quantity.high) return "no range";
  const [size] = scaleOf(quantity.value, quantity.unit);
  const sign = quantity.unit === "USD" ? "$" : "";
  return `${sign}${amount(quantity.low / size)} to ${sign}${amount(quantity.high / size)}`;
}

/** Read "2T", "7 B", "1.5e12", "60%": null for an empty text, NaN for one that is no number. */
function readNumber(text) {
  const found = text.trim().replace(/[,_\s]/g, "");
  if (!found) return null;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kmbtg%]?)$/i.exec(found);
  if (!match) return NaN;
  const factor = { k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12, "%": 0.01, "": 1 }[match[2].toLowerCase()];
  return Number(`${match[1]}`) * factor;
}

/** A count as people write it: 7B, 2T, 350M. */
function shortCount(value) {
  for (const [size, name] of [[1e12, "T"], [1e9, "B"], [1e6, "M"]]) {
    if (value >= size) return Number((value / size).toPrecision(4)) + name;
  }
  return String(Number(value.toPrecision(6)));
}
