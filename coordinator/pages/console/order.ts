/**
 * Owns which rows of a table are shown, and in which order: filter, sorting, page. Pure; never touches the document.
 * Invariant: rows that are equal to the sorting keep the order that they came in.
 */

/** What a row is sorted by. */
export type SortValue = string | number | null;

/** What somebody wants to see. */
export interface Arrangement<Row> {
  /** Every word of it must be in a row's text. */
  readonly filter: string;
  readonly textOf: (row: Row) => string;
  /** Null: as they came. */
  readonly sortBy: ((row: Row) => SortValue) | null;
  readonly isDescending: boolean;
  /** From 0; one beyond the last is the last. */
  readonly page: number;
  readonly rowsPerPage: number;
}

/** What is to be shown of it. */
export interface Arranged<Row> {
  readonly rows: readonly Row[];
  /** Of all that the filter lets through. */
  readonly found: number;
  readonly page: number;
  readonly pages: number;
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Numbers by size, texts as people sort them, what is not known last. */
export function compareValues(one: SortValue, other: SortValue): number {
  if (one === null || other === null) return one === other ? 0 : one === null ? 1 : -1;
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return collator.compare(String(one), String(other));
}

/** See the head of this file. */
export function arrange<Row>(all: readonly Row[], wanted: Arrangement<Row>): Arranged<Row> {
  const { sortBy, isDescending, rowsPerPage } = wanted;
  const words = wanted.filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const isMeant = (row: Row) => {
    const text = wanted.textOf(row).toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const found = words.length === 0 ? [...all] : all.filter(isMeant);
  if (sortBy !== null) {
    const keyed = found.map((row) => ({ row, value: sortBy(row) }));
    keyed.sort((one, other) => {
      // What is not known stays last in either direction.
      if (one.value === null || other.value === null) return compareValues(one.value, other.value);
      return (isDescending ? -1 : 1) * compareValues(one.value, other.value);
    });
    keyed.forEach(({ row }, index) => {
      found[index] = row;
    });
  }
  const pages = Math.max(1, Math.ceil(found.length / rowsPerPage));
  const page = Math.min(Math.max(0, wanted.page), pages - 1);
  return { rows: found.slice(page * rowsPerPage, (page + 1) * rowsPerPage), found: found.length, page, pages };
}
