/**
 * Owns a table of rows that change while somebody looks: sorted by its headers, filtered, a hundred rows at a time. Never asks for rows.
 * Invariants: a row keeps its element as long as it is shown, and only cells whose text has changed are touched; focus stays where it was.
 */
import { make, makeButton, setText } from '../foundation/elements.ts';
import { type Arrangement, arrange, type SortValue } from './order.ts';

/** A column. */
export interface Column<Row> {
  readonly title: string;
  /** What stands in it; also what the filter looks at. */
  readonly text: (row: Row) => string;
  /** Fills the cell otherwise than by its text, whenever that has changed. */
  readonly fill?: (cell: HTMLElement, row: Row) => void;
  /** Absent: by its text. Null: not at all. */
  readonly sortBy?: ((row: Row) => SortValue) | null;
  readonly isNumber?: boolean;
}

/** What a table is about. */
export interface TableTerms<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  /** Said while there is nothing. */
  readonly empty: string;
}

interface ShownRow {
  readonly element: HTMLTableRowElement;
  readonly cells: readonly HTMLElement[];
  readonly texts: string[];
}

const ROWS_PER_PAGE = 100;

/** See the head of this file. */
export class DataTable<Row> {
  readonly root: HTMLElement;
  readonly #terms: TableTerms<Row>;
  readonly #body = make('tbody');
  readonly #headers: readonly HTMLTableCellElement[];
  readonly #count = make('p', { class: 'count' });
  readonly #earlier = makeButton('Previous page', () => this.#turn(-1));
  readonly #later = makeButton('Next page', () => this.#turn(1));
  readonly #shown = new Map<string, ShownRow>();
  #rows: readonly Row[] = [];
  #filter = '';
  #sorted: { column: Column<Row>; isDescending: boolean } | null = null;
  #page = 0;

  constructor(terms: TableTerms<Row>) {
    this.#terms = terms;
    this.#headers = terms.columns.map((column) => this.#makeHeader(column));
    const table = make(
      'table',
      {},
      make('caption', { class: 'unseen' }, terms.caption),
      make('thead', {}, make('tr', {}, ...this.#headers)),
      this.#body,
    );
    const scroll = make('div', { class: 'scroll', role: 'region', 'aria-label': terms.caption, tabindex: '0' }, table);
    const pager = make('div', { class: 'pager' }, this.#count, this.#earlier, this.#later);
    this.root = make('div', { class: 'table' }, make('div', { class: 'tools' }, this.#makeFilter(), pager), scroll);
  }

  /** These are the rows now. */
  show(rows: readonly Row[]): void {
    this.#rows = rows;
    this.#draw();
  }

  #makeFilter(): HTMLElement {
    const input = make('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
    input.addEventListener('input', () => {
      this.#filter = input.value;
      this.#page = 0;
      this.#draw();
    });
    return make('label', { class: 'filter' }, 'Filter ', input);
  }

  #makeHeader(column: Column<Row>): HTMLTableCellElement {
    const header = make('th', { scope: 'col', ...(column.isNumber ? { class: 'number' } : {}) });
    if (column.sortBy === null) header.append(column.title);
    else header.append(makeButton(column.title, () => this.#sort(column), { class: 'sort' }));
    return header;
  }

  #sort(column: Column<Row>): void {
    const isAgain = this.#sorted?.column === column;
    this.#sorted = { column, isDescending: isAgain ? !this.#sorted?.isDescending : column.isNumber === true };
    this.#terms.columns.forEach((each, index) => {
      if (each !== column) this.#headers[index]?.removeAttribute('aria-sort');
      else this.#headers[index]?.setAttribute('aria-sort', this.#sorted?.isDescending ? 'descending' : 'ascending');
    });
    this.#draw();
  }

  #turn(by: number): void {
    this.#page += by;
    this.#draw();
  }

  #arrangement(): Arrangement<Row> {
    const { columns } = this.#terms;
    const sorted = this.#sorted;
    const sortBy = sorted === null ? null : (sorted.column.sortBy ?? sorted.column.text);
    return {
      filter: this.#filter,
      // What can't be sorted is something to press, not to look for.
      textOf: (row) => columns.map(({ text, sortBy: order }) => (order === null ? '' : text(row))).join(' '),
      ...{ sortBy, isDescending: sorted?.isDescending ?? false, page: this.#page, rowsPerPage: ROWS_PER_PAGE },
    };
  }

  #draw(): void {
    performance.clearMarks('table');
    performance.clearMeasures('table');
    performance.mark('table');
    const { rows, found, page, pages } = arrange(this.#rows, this.#arrangement());
    this.#page = page;
    const what = this.#terms.caption.toLowerCase().replace(this.#rows.length === 1 ? /s$/ : /$/, '');
    const all = `${found === this.#rows.length ? '' : `${found} of `}${this.#rows.length} ${what}`;
    const which = pages > 1 ? `, ${page * ROWS_PER_PAGE + 1} to ${page * ROWS_PER_PAGE + rows.length} shown` : '';
    setText(this.#count, this.#rows.length === 0 ? this.#terms.empty : `${all}${which}`);
    this.#earlier.hidden = pages === 1;
    this.#later.hidden = pages === 1;
    this.#earlier.disabled = page === 0;
    this.#later.disabled = page === pages - 1;
    this.#place(rows);
    performance.measure('table', 'table');
  }

  #place(rows: readonly Row[]): void {
    const focused = document.activeElement;
    const keys = new Set(rows.map((row) => this.#terms.keyOf(row)));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    let place = this.#body.firstElementChild;
    for (const row of rows) {
      const shown = this.#update(row);
      if (shown.element === place) place = place.nextElementSibling;
      else this.#body.insertBefore(shown.element, place);
    }
    if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement)
      focused.focus({ preventScroll: true });
  }

  #update(row: Row): ShownRow {
    const key = this.#terms.keyOf(row);
    const known = this.#shown.get(key);
    const shown = known ?? this.#makeRow();
    if (known === undefined) this.#shown.set(key, shown);
    this.#terms.columns.forEach(({ text, fill }, index) => {
      const next = text(row);
      const cell = shown.cells[index];
      if (shown.texts[index] === next || cell === undefined) return;
      shown.texts[index] = next;
      if (fill === undefined) cell.textContent = next;
      else {
        cell.replaceChildren();
        fill(cell, row);
      }
    });
    return shown;
  }

  #makeRow(): ShownRow {
    const cells = this.#terms.columns.map(({ isNumber }, index) => {
      const attributes: Record<string, string> = isNumber ? { class: 'number' } : {};
      return index === 0 ? make('th', { ...attributes, scope: 'row' }) : make('td', attributes);
    });
    return { element: make('tr', {}, ...cells), cells, texts: [] };
  }
}
