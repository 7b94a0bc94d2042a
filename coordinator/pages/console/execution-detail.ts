/**
 * Owns how one execution is shown: its timeline, what it used of its limits, its certificate, why it is where it is, its receipt. Never asks for it.
 */
import type { InstanceExecutionDetail } from '../../../shared/model/instance-view.ts';
import { make, makeBar, makeFacts, makeMark } from '../foundation/elements.ts';
import { toPercentText, toTimeText } from '../foundation/formats.ts';
import { findUses, toAmountText } from '../foundation/limit-use.ts';
import { readReceipt } from '../foundation/receipt-text.ts';
import { makeTimeline } from '../foundation/timeline-view.ts';
import { toKind } from './certificates.ts';
import { toOutcome } from './outcome.ts';

type Execution = InstanceExecutionDetail['execution'];

/** See the head of this file. */
export function makeExecution({ tenant, execution, placement }: InstanceExecutionDetail): HTMLElement[] {
  const { id, agent, attempts, createdAt, finishedAt, environment, endedIn, failure, rerun } = execution;
  const outcome = toOutcome(execution);
  const facts = makeFacts({
    Execution: make('code', {}, id),
    Tenant: tenant,
    Outcome: make('span', {}, makeMark(outcome.text, outcome.kind), endedIn === null ? '' : ` in ${endedIn}`),
    Agent: agent === null ? 'none yet' : `${agent.name} in ${agent.pool}${attempts > 1 ? `, attempt ${attempts}` : ''}`,
    Environment: environment === null ? 'not built' : makeEnvironmentLink(tenant, environment.id),
    Begun: createdAt,
    Ended: finishedAt ?? 'it goes on',
    ...(failure === null ? {} : { 'Our fault': `${failure.code}: ${failure.detail}` }),
    ...(rerun === undefined ? {} : { 'Run again': `${rerun.outcome}; first by ${rerun.first.agent}` }),
  });
  return [
    facts,
    makePart('Where its time went', makeTimeline(execution.timing)),
    makePart('What it used', makeUses(execution)),
    makePart('Timing certificate', makeCertificate(execution)),
    makePart('Why it is where it is', makePlacement(placement)),
    makePart('Receipt', makeReceipt(execution)),
  ];
}

function makeEnvironmentLink(tenant: string, id: string): HTMLElement {
  const href = `#/environments/${encodeURIComponent(tenant)}/${encodeURIComponent(id)}`;
  return make('a', { href }, make('code', {}, id));
}

function makePart(title: string, ...children: readonly Node[]): HTMLElement {
  return make('section', { class: 'part' }, make('h2', {}, title), ...children);
}

function makeUses(execution: Execution): HTMLElement {
  const { receipt } = execution;
  const limits = receipt === null ? null : readReceipt(receipt);
  const uses = findUses(execution, limits?.limits ?? {});
  if (uses.length === 0) return make('p', { class: 'none' }, 'Nothing has run, or not ended.');
  const rows = uses.map(({ script, what, used, allowed, unit }) => {
    const text = (amount: number) => toAmountText(amount, unit);
    const bar = allowed === null ? text(used) : makeBar(used / allowed, `${text(used)} of ${text(allowed)}`);
    return make('tr', {}, make('th', { scope: 'row' }, what), make('td', {}, script), make('td', {}, bar));
  });
  const head = ['What', 'Script', 'Used'].map((title) => make('th', { scope: 'col' }, title));
  const table = make(
    'table',
    {},
    make(
      'caption',
      {},
      limits === null ? 'Without its limits: there is no receipt.' : 'Limits are those of the receipt.',
    ),
    make('thead', {}, make('tr', {}, ...head)),
    make('tbody', {}, ...rows),
  );
  return make('div', { class: 'scroll' }, table);
}

function makeCertificate({ certificate }: Execution): HTMLElement {
  if (certificate === null) return make('p', { class: 'none' }, 'None: nothing ran, or its agent says nothing.');
  const kind = toKind(certificate.clean);
  const { reasons, cpus, governor, neighbours, calibration, cpuTimeMs, wallTimeMs } = certificate;
  const kinds = { clean: 'good', dirty: 'bad', unprovable: 'wary' } as const;
  return makeFacts({
    Times: makeMark(kind, kinds[kind]),
    Because: reasons.length === 0 ? 'nothing was seen that changes them' : reasons.join(', ').replaceAll('-', ' '),
    Processors: cpus ?? 'none of its own',
    Governor: governor ?? 'no control of the frequency',
    Neighbours: String(neighbours),
    Looked: `${toTimeText(cpuTimeMs)} of processors in ${toTimeText(wallTimeMs)}`,
    Calibration: calibration === null ? 'none' : `${toTimeText(calibration.cpuTimeMs)}, at ${calibration.at}`,
  });
}

function makePlacement(placement: InstanceExecutionDetail['placement']): HTMLElement {
  if (placement === null) return make('p', { class: 'none' }, 'Not remembered any more.');
  const { attempts, waiting, layers } = placement;
  const lines = attempts.flatMap(({ agent, placedAt, considered }) => [
    make('li', {}, `${agent.name} got it at ${placedAt}`),
    ...considered.map((each) => {
      const outcome = each.outcome.replaceAll('-', ' ');
      return make(
        'li',
        { class: 'finer' },
        `${each.agent}: ${outcome}, ${each.layersHeld} of ${layers} layers, ${toPercentText(each.load)} taken`,
      );
    }),
  ]);
  if (waiting !== null) {
    lines.push(make('li', {}, `It waits, for about ${toTimeText(Math.max(0, waiting.forecastMs))} by what is known`));
    for (const { agent, obstacles } of waiting.agents) {
      lines.push(make('li', { class: 'finer' }, `${agent}: ${obstacles.join(', ').replaceAll('-', ' ')}`));
    }
  }
  return lines.length === 0
    ? make('p', { class: 'none' }, 'It was placed nowhere.')
    : make('ul', { class: 'lines' }, ...lines);
}

function makeReceipt({ receipt }: Execution): HTMLElement {
  if (receipt === null) return make('p', { class: 'none' }, 'None: nothing ran to its end.');
  const read = readReceipt(receipt);
  return make(
    'div',
    {},
    make(
      'p',
      {},
      read === null
        ? 'It can not be read.'
        : `Signed by ${read.agent}. Whoever has it can check it; this page does not.`,
    ),
    make('details', {}, make('summary', {}, 'What it says'), make('pre', { tabindex: '0' }, read?.text ?? receipt)),
  );
}
