// Whether two engines gave the same answer: the same rows in the same order, where decimals and doubles may stand for each other
// and be off by rounding.

const DECIMAL = 7;
const DATE = 8;
const TIMESTAMP = 10;

/** Throws where the tables differ. */
export function sameAnswer(name, ours, theirs) {
  if (ours.numRows !== theirs.numRows) {
    throw new Error(`${name}: ${ours.numRows} rows, and ${theirs.numRows} of DuckDB-WASM`);
  }
  if (ours.numCols !== theirs.numCols) {
    throw new Error(`${name}: ${ours.numCols} columns, and ${theirs.numCols} of DuckDB-WASM`);
  }
  for (let at = 0; at < ours.numCols; at++) {
    const [a, b] = [columnOf(ours, at), columnOf(theirs, at)];
    // A decimal is cut off after its last digit.
    const slack = 1.01 * Math.max(a.unit, b.unit);
    for (let row = 0; row < ours.numRows; row++) {
      const [x, y] = [a.value(row), b.value(row)];
      const close = typeof x === "number" && typeof y === "number" && Math.abs(x - y) <= slack + 1e-9 * Math.abs(y);
      if (x !== y && !close) {
        throw new Error(`${name}: row ${row + 1}, column ${at + 1}: ${x}, and ${y} of DuckDB-WASM`);
      }
    }
  }
}

function columnOf(table, at) {
  const vector = table.getChildAt(at);
  const { typeId, scale } = table.schema.fields[at].type;
  const plain = (value) => (typeof value === "bigint" ? Number(value) : (value ?? null));
  switch (typeId) {
    case DECIMAL: {
      const unit = 10 ** -scale;
      return { unit, value: (row) => nullOr(vector.get(row), (words) => Number(integerOf(words)) * unit) };
    }
    case DATE:
    case TIMESTAMP:
      return { unit: 0, value: (row) => nullOr(vector.get(row), Number) };
    default:
      return { unit: 0, value: (row) => plain(vector.get(row)) };
  }
}

function nullOr(value, convert) {
  return value === null || value === undefined ? null : convert(value);
}

/** A decimal's words of 32 bits, lowest first, as a whole number with a sign. */
function integerOf(words) {
  const bits = Array.from(words).reduceRight((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
  return BigInt.asIntN(32 * words.length, bits);
}
