/**
 * Owns finding what a reader that listens to a page would not know what to do with: controls without a name, tables without headers, more than one main
 * heading or landmark, references to nothing, ids twice. An expression for the page; never looks at colours.
 */
export const findUnnamed = `(() => {
  const all = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.getClientRects().length > 0);
  const text = (each) => each.textContent.trim();
  const nameOf = (each) => each.getAttribute('aria-label') ?? (each.labels?.length > 0 ? text(each.labels[0]) : text(each));
  const found = [];
  for (const each of all('button, a, input, select, textarea, [role=region], [role=log], nav'))
    if (nameOf(each) === '') found.push('without a name: ' + each.outerHTML.slice(0, 100));
  for (const each of all('table')) if (each.querySelector('thead th[scope=col]') === null) found.push('a table without headers');
  for (const each of all('tbody tr')) if (each.querySelector('th[scope=row]') === null) found.push('a row without a header');
  for (const selector of ['h1', 'main', 'header'])
    if (document.querySelectorAll(selector).length !== 1) found.push('not one ' + selector);
  const levels = all('h1, h2, h3').map((each) => Number(each.tagName[1]));
  if (levels.some((level, at) => level - (levels[at - 1] ?? 0) > 1)) found.push('a heading skips a level: ' + levels);
  for (const each of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const id of (each.getAttribute('aria-labelledby') ?? each.getAttribute('aria-describedby')).split(' '))
      if (document.getElementById(id) === null) found.push('refers to nothing: ' + id);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push('twice: ' + id);
  if (document.documentElement.lang === '') found.push('no language');
  if (document.querySelector('[aria-live]') === null) found.push('no live region');
  return found;
})()`;
