/**
 * Owns a terminal whose program runs at another coordinator's agent, over a link between the two that breaks: client, owner, link, host, agent are the
 * real ones but for sockets; the host's scheduler places at once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseTerminal } from '../../agent/execution/lease-terminal.ts';
import { Guests } from '../../coordinator/cluster/guests.ts';
import { Loans } from '../../coordinator/cluster/loans.ts';
import type { DialledMessage, DiallerMessage } from '../../coordinator/cluster/peer-messages.ts';
import type { Demand, DemandListener } from '../../coordinator/scheduler/scheduler.ts';
import { Terminal, type TerminalClient } from '../../coordinator/terminals/terminal.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { TerminalNews } from '../../shared/protocol/terminal-flow.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { openPace } from '../support/open-pace.ts';
import { siteOf } from '../support/site-cases.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const id: ExecutionId = 'exec_00000000';

function toDemand(terminal: Terminal): Demand {
  const nothing = () => undefined;
  const listener: DemandListener = {
    ...{ placed: nothing, started: nothing, fetching: nothing, output: nothing, tested: nothing },
    ...{ requeued: nothing, gaveUp: nothing, completed: nothing },
    told: (_id, news) => terminal.heard(news),
  };
  const claim = { kind: 'k', durationMsMax: 1, memoryBytes: 1, diskBytes: 0, layers: [], waitMsMax: 1, weight: 1 };
  const constraints = { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false };
  const order = () => ({ ...makeOrder(), terminal: terminal.order });
  return { executionId: id, tenantId: 'one', ...claim, constraints, site: siteOf('one'), order, listener };
}

function stage() {
  const clock = new VirtualClock();
  const terminal = new Terminal(clock, id, new EventLog(1 << 20));
  let hosted: Demand | null = null;
  const tell = (news: TerminalNews) => hosted?.listener.told(hosted.executionId, news);
  const agent = new LeaseTerminal(terminal.order, tell, openPace);
  const guests = new Guests(
    'owner',
    {
      clock,
      scheduler: {
        submit: (demand) => {
          hosted = demand;
        },
        withdraw: () => undefined,
        command: (executionId, command) => {
          assert.equal(executionId, hosted?.executionId);
          agent.command(command);
        },
      },
    },
    { graceMs: 10_000 },
  );
  let isUp = true;
  const toOwner = (message: DialledMessage) => (isUp ? loans.message(message as never) : undefined);
  const toHost = (message: DiallerMessage) => {
    if (isUp) guests.message(message as never);
    return isUp;
  };
  const loans = new Loans(
    clock,
    { returned: () => assert.fail('it came back'), ended: () => undefined },
    {
      ...{ graceMs: 10_000, send: toHost },
    },
  );
  guests.up(toOwner);
  terminal.serve(
    { terminalWaitMsMax: 1000, terminalAwayMsMax: 1000 },
    { command: (command) => void loans.command(id, command), unattended: () => undefined },
  );
  loans.lend({ demand: toDemand(terminal), waitMsMax: 1 });
  (hosted as Demand | null)?.listener.placed(id, { labels: {} } as never, []);
  agent.begin();
  return {
    terminal,
    agent,
    cut: () => {
      isUp = false;
      guests.down(toOwner);
      loans.down(false);
    },
    mend: () => {
      isUp = true;
      guests.up(toOwner);
      loans.up();
    },
  };
}

test('what is typed and written while the link between two coordinators is broken is there when it is mended, once', async () => {
  const { terminal, agent, cut, mend } = stage();
  let screen = '';
  const client: TerminalClient = {
    ...{ tell: () => undefined, wantInput: () => undefined, close: () => undefined },
    output: (bytes, position) => {
      screen += bytes.toString();
      terminal.arrived(client, position);
    },
  };
  terminal.attach(client, null);
  let [written, typed] = ['', ''];
  const write = (text: string) => {
    written += text;
    agent.output(Buffer.from(text));
  };
  const type = (text: string) => {
    typed += text;
    terminal.type(client, Buffer.from(text));
  };
  for (let round = 0; round < 5; round += 1) {
    write(`up ${round} `);
    type(`up ${round} `);
    cut();
    write(`down ${round} `);
    type(`down ${round} `);
    mend();
  }
  assert.equal(screen, written);
  terminal.ask(client, { type: 'end' });
  let got = '';
  for await (const bytes of agent.input) got += Buffer.from(bytes).toString();
  assert.equal(got, typed);
});
