/** The items in their order, `size` at a time, fewer at the end. `size`: at least 1. */
export function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let first = 0; first < items.length; first += size) yield items.slice(first, first + size);
}
