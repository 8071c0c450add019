// The engines' WebAssembly: as it is, and compressed with brotli as well as it can be.
import { atMost, megabytes } from "./report.js";

const MOST_BYTES = 25e6;
const MOST_COMPRESSED_BYTES = 4.5e6;

export async function size() {
  const { theirs, ours } = await (await fetch("sizes.json")).json();
  const row = (operation, part, limit) => ({
    operation,
    theirs: megabytes(theirs[part]),
    ours: megabytes(ours[part]),
    bar: atMost(limit, ours[part], megabytes),
    bytes: { theirs: theirs[part], ours: ours[part] },
  });
  return [
    row("WebAssembly", "bytes", MOST_BYTES),
    row("WebAssembly with brotli", "compressedBytes", MOST_COMPRESSED_BYTES),
  ];
}
