// Interleaved rounds, and what is made of their samples.

/** The time that `work` takes, in milliseconds. */
export async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/**
 * Runs all operations once in each round, forwards and backwards in turn, so that none always finds the caches as the same other
 * one left them. An operation takes the round's number and returns its time in milliseconds. Returns a timing for each.
 */
export async function interleave({ warmUp, samples }, operations) {
  const names = Object.keys(operations);
  const found = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < warmUp + samples; round++) {
    for (const name of round % 2 ? names.toReversed() : names) {
      const time = await operations[name](round);
      if (round >= warmUp) found[name].push(time);
    }
  }
  return Object.fromEntries(names.map((name) => [name, timingOf(found[name])]));
}

/** The median, and half the distance of the quartiles. */
function timingOf(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const quantile = (quarters) => sorted[Math.floor(((sorted.length - 1) * quarters) / 4)];
  return { milliseconds: quantile(2), spread: (quantile(3) - quantile(1)) / 2, samples };
}

export function geometricMean(numbers) {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
