/**
 * Owns contest mode while an agent runs: it tells what makes times unreliable here, and where it may, changes that and puts it back at the end.
 * Never keeps an agent from starting or ending: what it can't do is a warning with its remedy.
 */
import type { Clock } from '../../shared/clock.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AgentConfig } from '../config.ts';
import { type ChangeMade, fixSettings, undoSettings } from './contest-fixes.ts';
import { ContestRecord } from './contest-record.ts';
import { contestRequirements } from './contest-requirements.ts';
import { toContestSubject } from './contest-subject.ts';
import { type Machine, machineAt } from './machine.ts';
import { isAmiss, toRow } from './report.ts';

/** What contest mode works with. */
export interface ContestPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absent: this one. */
  readonly machine?: Machine;
}

/** Contest mode of one agent. */
export interface ContestMode {
  /** Puts back what was changed; idempotent, never rejects. */
  close(): Promise<void>;
}

/** The settings of contest mode; see agent/config.ts. */
export type ContestSettings = Pick<AgentConfig, 'contest' | 'contestDirectory' | 'slots' | 'slotCpus'>;

/** Opens it as the settings say, which are not `off`; never rejects. */
export async function openContestMode(settings: ContestSettings, ports: ContestPorts): Promise<ContestMode> {
  const { clock, logger, machine = machineAt() } = ports;
  const subject = toContestSubject(machine, clock, settings);
  /** Does something with the record and tells what became of each setting. */
  const change = async (act: (record: ContestRecord) => Promise<readonly ChangeMade[]>) => {
    try {
      const made = await act(await ContestRecord.open(settings.contestDirectory, machine));
      for (const { outcome, ...about } of made)
        logger[outcome === 'refused' || outcome === 'left' ? 'warn' : 'info']({ outcome, ...about }, 'contest setting');
    } catch (error) {
      logger.warn({ detail: toSystemError(error).message }, 'contest settings not touched');
    }
  };
  if (settings.contest === 'fix') await change((record) => fixSettings(contestRequirements, subject, record));
  const rows = await Promise.all(contestRequirements.map((requirement) => toRow(requirement, subject)));
  for (const { id, found, needed, remedy } of rows.filter(isAmiss))
    logger.warn({ requirement: id, found, needed, remedy }, 'contest requirement not met');
  let isOpen = settings.contest === 'fix';
  return {
    close: async () => {
      if (isOpen) await change((record) => undoSettings(machine, record));
      isOpen = false;
    },
  };
}
