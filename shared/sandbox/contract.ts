/**
 * GENERATED from launcher/contract.def by generate-contract.ts (make contract); never edited by hand.
 * Owns the numbers, names and field order of what TypeScript and the launcher say to each other; frames.ts gives them their wire form.
 */

/** Version of the contract; both sides must say the same. */
export const CONTRACT_VERSION = 4;

/** Every message: its number, who sends it (C client, L launcher) and its fields in wire order. */
export const messages = {
  HELLO: {
    number: 1,
    direction: 'C',
    fields: {
      version: 'U32',
    },
  },
  LAUNCH: {
    number: 2,
    direction: 'C',
    fields: {
      launch: 'U64',
      profile: 'U8',
      layers: 'STRS',
      kept: 'U64S',
      keep: 'U8',
      target: 'STR',
      capture: 'U64',
      argv: 'STRS',
      environment: 'STRS',
      directory: 'STR',
      files: 'FILES',
      systemFiles: 'FILES',
      stdinOpen: 'U8',
      egress: 'U8',
      egressConfig: 'BYTES',
      cpuTimeMs: 'U64',
      wallTimeMs: 'U64',
      idleTimeMs: 'U64',
      memoryBytes: 'U64',
      processes: 'U64',
      outputBytes: 'U64',
      fileSizeBytes: 'U64',
      openFiles: 'U64',
      stackBytes: 'U64',
      diskBytes: 'U64',
      diskInodes: 'U64',
      cpuShares: 'U32',
      cpus: 'STR',
      terminal: 'U8',
      terminalRows: 'U32',
      terminalColumns: 'U32',
      collect: 'STRS',
      collectBytesMax: 'U64',
      collectFilesMax: 'U32',
      outputWindowBytes: 'U64',
    },
  },
  STDIN: {
    number: 3,
    direction: 'C',
    fields: {
      launch: 'U64',
      last: 'U8',
      data: 'BYTES',
    },
  },
  KILL: {
    number: 4,
    direction: 'C',
    fields: {
      launch: 'U64',
    },
  },
  RELEASE: {
    number: 5,
    direction: 'C',
    fields: {
      launch: 'U64',
    },
  },
  LAYER_CREATE: {
    number: 6,
    direction: 'C',
    fields: {
      request: 'U64',
      layer: 'STR',
    },
  },
  LAYER_COMMIT: {
    number: 7,
    direction: 'C',
    fields: {
      request: 'U64',
      layer: 'STR',
      to: 'STR',
      form: 'U8',
    },
  },
  LAYER_REMOVE: {
    number: 8,
    direction: 'C',
    fields: {
      request: 'U64',
      layer: 'STR',
    },
  },
  LAYER_LIST: {
    number: 9,
    direction: 'C',
    fields: {
      request: 'U64',
    },
  },
  GAUGES_ASK: {
    number: 10,
    direction: 'C',
    fields: {
      request: 'U64',
    },
  },
  RESIZE: {
    number: 11,
    direction: 'C',
    fields: {
      launch: 'U64',
      rows: 'U32',
      columns: 'U32',
    },
  },
  OUTPUT_CREDIT: {
    number: 12,
    direction: 'C',
    fields: {
      launch: 'U64',
      bytes: 'U32',
    },
  },
  SIGNAL: {
    number: 13,
    direction: 'C',
    fields: {
      launch: 'U64',
      signal: 'U8',
    },
  },
  WELCOME: {
    number: 64,
    direction: 'L',
    fields: {
      version: 'U32',
      cgroup: 'U8',
      cores: 'U32',
      memoryBytes: 'U64',
      kernel: 'STR',
      release: 'STR',
      rootless: 'U8',
      missing: 'STRS',
    },
  },
  STARTED: {
    number: 65,
    direction: 'L',
    fields: {
      launch: 'U64',
      startedAtNs: 'U64',
    },
  },
  OUTPUT: {
    number: 66,
    direction: 'L',
    fields: {
      launch: 'U64',
      stream: 'U8',
      data: 'BYTES',
    },
  },
  STDIN_CREDIT: {
    number: 67,
    direction: 'L',
    fields: {
      launch: 'U64',
      bytes: 'U32',
    },
  },
  REPORT: {
    number: 68,
    direction: 'L',
    fields: {
      launch: 'U64',
      end: 'U8',
      exitCode: 'I32',
      signal: 'I32',
      step: 'U8',
      errorNumber: 'I32',
      exceeded: 'U8',
      allowed: 'U64',
      observed: 'U64',
      diskFull: 'U8',
      stdoutTruncated: 'U8',
      stderrTruncated: 'U8',
      cpuTimeNs: 'U64',
      cpuUserNs: 'U64',
      cpuSystemNs: 'U64',
      wallTimeNs: 'U64',
      memoryPeakBytes: 'U64',
      processesPeak: 'U64',
      stdoutBytes: 'U64',
      stderrBytes: 'U64',
      stdinBytes: 'U64',
      diskBytes: 'U64',
      diskInodes: 'U64',
      voluntarySwitches: 'U64',
      involuntarySwitches: 'U64',
      throttledNs: 'U64',
      oomKills: 'U64',
      startedAtNs: 'U64',
      endedAtNs: 'U64',
      takeNs: 'U64',
      mountNs: 'U64',
      execNs: 'U64',
      collectNs: 'U64',
    },
  },
  DONE: {
    number: 69,
    direction: 'L',
    fields: {
      request: 'U64',
      step: 'U8',
      errorNumber: 'I32',
    },
  },
  LAYERS: {
    number: 70,
    direction: 'L',
    fields: {
      request: 'U64',
      layers: 'STRS',
    },
  },
  GAUGES: {
    number: 71,
    direction: 'L',
    fields: {
      request: 'U64',
      stock: 'U32',
      running: 'U32',
      kept: 'U32',
      launches: 'U64',
      stockMisses: 'U64',
      residentBytes: 'U64',
      stockWanted: 'U32',
      sweeping: 'U32',
    },
  },
  COLLECTED: {
    number: 72,
    direction: 'L',
    fields: {
      path: 'BYTES',
      state: 'U8',
      executable: 'U8',
      size: 'U64',
    },
  },
  COLLECTED_DATA: {
    number: 73,
    direction: 'L',
    fields: {
      data: 'BYTES',
    },
  },
} as const;

/** The named constants: profiles, ends, limits, steps. */
export const names = {
  PROFILE: {
    EXECUTION: 1,
    BUILD: 2,
    BOOTSTRAP: 3,
    HOST: 4,
    COMMAND: 5,
  },
  FORM: {
    TREE: 0,
    IMAGE: 1,
  },
  CGROUP: {
    NONE: 0,
    V1: 1,
    V2: 2,
  },
  END: {
    EXITED: 1,
    SIGNALED: 2,
    START_FAILED: 3,
    SETUP_FAILED: 4,
    CLIENT: 5,
  },
  LIMIT: {
    NONE: 0,
    CPU_TIME: 1,
    WALL_TIME: 2,
    IDLE_TIME: 3,
    MEMORY: 4,
    OUTPUT: 5,
    FILE_SIZE: 6,
    DISK: 7,
  },
  STEP: {
    NONE: 0,
    DECODE: 1,
    SHELL: 2,
    IDS: 3,
    CGROUP: 4,
    NETWORK: 5,
    EGRESS: 6,
    LAYERS: 7,
    OVERLAY: 8,
    MOUNTS: 9,
    FILES: 10,
    PIVOT: 11,
    LIMITS: 12,
    PRIVILEGES: 13,
    SECCOMP: 14,
    DIRECTORY: 15,
    EXEC: 16,
    STORE: 17,
    LOST: 18,
    TERMINAL: 19,
  },
  COLLECT: {
    COPIED: 1,
    NOT_REGULAR: 2,
    TOO_LARGE: 3,
    TOO_MANY: 4,
    UNREADABLE: 5,
  },
} as const;

/** Bounds that both sides keep. */
export const numbers = {
  FRAME_BYTES_MAX: 134217728,
  STDIN_CREDIT_BYTES: 262144,
  OUTPUT_FRAME_BYTES_MAX: 65536,
  PROGRAM_USER_ID: 1000,
  BUILD_IDS: 65536,
} as const;
