/**
 * Owns finding text in a page that does not stand out enough from its ground, by the colours that a browser worked out. An expression for the page;
 * never looks at a picture.
 */

/** What text of this size must stand out from its ground by, by the guidelines for accessible content. */
const CONTRAST_LEAST = 4.5;

/** Texts that don't stand out enough, with their contrast, by the colours that the browser worked out. */
export const dullTexts = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const bytes = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => colour
    .map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const grounds = (element) => {
    const colours = [];
    for (let each = element; each !== null; each = each.parentElement) colours.unshift(getComputedStyle(each).backgroundColor);
    return colours;
  };
  return [...document.querySelectorAll('body *')]
    .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
    .filter((each) => each.getClientRects().length > 0)
    .map((each) => {
      const style = getComputedStyle(each);
      const isDrawn = each instanceof SVGElement;
      const part = isDrawn && each.classList.contains('inside') ? getComputedStyle(each.previousElementSibling) : null;
      const ground = grounds(isDrawn ? each.closest('figure') : each);
      const under = light(bytes(part === null ? ground : [...ground, part.fill.replace('rgb', 'rgba').replace(')', ', ' + part.fillOpacity + ')')]));
      const over = light(bytes([isDrawn ? style.fill : style.color]));
      return [each.textContent.slice(0, 30), (Math.max(under, over) + 0.05) / (Math.min(under, over) + 0.05)];
    })
    .filter(([, contrast]) => contrast < ${CONTRAST_LEAST});
})()`;
