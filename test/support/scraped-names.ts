/**
 * Owns finding the names of metrics: in what a scraper reads, and in questions of PromQL. Never understands either beyond that.
 */

/** Name and type of every metric in the text format, in its order. */
export function namesIn(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
}

/** Names of ours, and of the process, that a question asks for. */
export function namesAskedFor(question: string): string[] {
  const unquoted = question.replace(/"[^"]*"/g, '""');
  const found = unquoted.match(/\b(envicutor|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return [...new Set(found)];
}

/** The metric that a series belongs to: a histogram has three. */
export function metricOf(series: string, isKnown: (name: string) => boolean): string {
  if (isKnown(series)) return series;
  return series.replace(/_(bucket|sum|count)$/, '');
}
