/**
 * A strict reader of HTML that is well-formed XML: every element closed in its place, every attribute quoted and once, every bracket and ampersand escaped.
 * Never repairs: what a browser would guess at is an error here.
 */
import assert from 'node:assert/strict';

/** One element. */
export interface ReadElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Its own text and that of all within. */
  text: string;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function unescaped(text: string): string {
  return text.replace(/&([^;]*);?/g, (whole, name: string) => {
    const character = whole.endsWith(';') ? entities[name] : undefined;
    assert.ok(character !== undefined, `'${whole.slice(0, 20)}' is no entity`);
    return character;
  });
}

function readAttributes(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const rest = text.replace(/\s+([a-zA-Z][a-zA-Z0-9:-]*)="([^"<]*)"/g, (_, name: string, value: string) => {
    assert.ok(!found.has(name), `'${name}' twice`);
    found.set(name, unescaped(value));
    return '';
  });
  assert.equal(rest.trim(), '', 'attributes');
  return found;
}

/** All elements in the order in which they open; throws where it is not well-formed. */
export function readMarkup(text: string): ReadElement[] {
  const all: ReadElement[] = [];
  const open: ReadElement[] = [];
  const content = text.replace(/^<!DOCTYPE html>\n/, '');
  for (const [token] of content.matchAll(/<[^>]*>|[^<]+/g)) {
    const [, isEnd, name = '', attributes = '', isWhole] =
      /^<(\/?)([a-zA-Z0-9]+)((?:"[^"]*"|[^">])*?)\s*(\/?)>$/.exec(token) ?? [];
    if (name === '') {
      assert.ok(!/[<>]/.test(token) || open.at(-1)?.name === 'style', `a loose bracket in '${token}'`);
      for (const each of open) each.text += unescaped(token);
    } else if (isEnd === '/') assert.equal(open.pop()?.name, name, `the end of ${name}`);
    else {
      const element: ReadElement = { name, attributes: readAttributes(attributes), text: '' };
      all.push(element);
      if (isWhole !== '/') open.push(element);
    }
  }
  assert.deepEqual(open, [], 'left open');
  return all;
}
