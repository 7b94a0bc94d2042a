/**
 * A program that a test kills: changes the settings of the machine below a folder, or puts them back, and ends itself as kill -9 would, before or after one of its writes.
 * Arguments: fix or undo, the machine's root, the record's folder, which write, before or after. Never touches this machine.
 */
import { fixSettings, undoSettings } from '../../agent/preflight/contest-fixes.ts';
import { ContestRecord } from '../../agent/preflight/contest-record.ts';
import { contestRequirements } from '../../agent/preflight/contest-requirements.ts';
import { toContestSubject } from '../../agent/preflight/contest-subject.ts';
import { type Machine, machineAt } from '../../agent/preflight/machine.ts';
import { systemClock } from '../../shared/clock.ts';

const [act = '', root = '', directory = '', which = '', when = ''] = process.argv.slice(2);
const whole = machineAt(root);
let writes = 0;
const machine: Machine = {
  ...whole,
  write: (path, text) => {
    const isLast = ++writes === Number(which);
    if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL');
    whole.write(path, text);
    if (isLast) process.kill(process.pid, 'SIGKILL');
  },
};
const record = await ContestRecord.open(directory, machine);
if (act === 'undo') await undoSettings(machine, record);
else
  await fixSettings(contestRequirements, toContestSubject(machine, systemClock, { slots: 2, slotCpus: '2;3' }), record);
