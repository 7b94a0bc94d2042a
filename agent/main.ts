#!/usr/bin/env node
/**
 * Owns the agent's process: configuration from the environment, an agent, until a signal ends it; or its command `preflight`. Never decides anything.
 * SIGTERM and SIGINT drain and end with 0, a second one ends at once; what can't work ends with 78 and its sentences.
 */
import { flushCompileCache } from 'node:module';
import { EXIT_USAGE, loadConfig, readEnvironment, refuseToStart } from '../shared/config.ts';
import { type ErrorCode, SystemError } from '../shared/errors.ts';
import { createLogger } from '../shared/logger.ts';
import { AgentConfig, CONFIG_PREFIX } from './config.ts';

/** What another start would not change. */
const lasting: readonly ErrorCode[] = ['configuration-invalid', 'requirement-missing', 'trust-refused'];

const [command, ...args] = process.argv.slice(2);
if (command === 'preflight') {
  const { preflightHere } = await import('./preflight/this-machine.ts');
  process.exitCode = await preflightHere(args, readEnvironment(AgentConfig, CONFIG_PREFIX), process);
} else if (command === undefined || command.startsWith('--')) {
  await run();
} else {
  process.stderr.write(`agent: there is no command '${command}'; give preflight, or nothing to run an agent\n`);
  process.exitCode = EXIT_USAGE;
}

async function run(): Promise<void> {
  const config = loadConfig(AgentConfig, CONFIG_PREFIX);
  const logger = createLogger('agent', { level: config.logLevel });
  const { createAgent } = await import('./embedded-agent.ts');
  const agent = await createAgent({ ...config, logger }).catch((error: unknown) => {
    if (!(error instanceof SystemError && lasting.includes(error.code))) throw error;
    const sentences = error.errors.length > 0 ? error.errors.map(({ detail }) => detail) : [error.message];
    refuseToStart(sentences.map((sentence) => `agent: ${sentence}`).join('\n'));
  });
  agent.start();
  // With NODE_COMPILE_CACHE the next start needs neither the compiler's time nor its memory, even if this process is killed.
  flushCompileCache();

  let isEnding = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal));

  async function end(signal: string): Promise<void> {
    if (isEnding) process.exit(1);
    isEnding = true;
    logger.info({ signal }, 'agent draining');
    await agent.drain();
    await agent.stop();
    logger.info({}, 'agent stopped');
    process.exit(0);
  }
}
