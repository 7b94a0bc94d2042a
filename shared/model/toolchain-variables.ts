/**
 * Owns the variables that scripts see: PATH and home, and the defaults by which Node, Python, Go, Cargo, Maven and Gradle find
 * at run time what scripts 1 and 2 fetched, without configuration.
 * Never holds anything of the host's environment.
 */

/** Where scripts 1 and 2 run and leave what they fetch. */
export const ENVIRONMENT_DIRECTORY = '/environment';
/** Where scripts 3 and 4 run. */
export const WORKSPACE_DIRECTORY = '/environment/workspace';
/** Where the launcher puts what a sandbox needs from us: the script, certificates. */
export const SYSTEM_DIRECTORY = '/run/envicutor';
/** The file to which a script appends NAME=value lines. */
export const VARIABLES_FILE = '/environment/.envicutor/variables';
/** What a private layer holds so that no other layer has its digest. */
export const MARK_FILE = '/environment/.envicutor/private';

const PATH =
  '/environment/.local/bin:/environment/node_modules/.bin:/environment/.cargo/bin:/environment/go/bin:/environment/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const shared: Readonly<Record<string, string>> = {
  PATH,
  LANG: 'C.UTF-8',
  TMPDIR: '/tmp',
  ENVICUTOR_ENV: VARIABLES_FILE,
  NODE_PATH: '/environment/node_modules',
  PYTHONUSERBASE: '/environment/.local',
  GOPATH: '/environment/go',
  GOFLAGS: '-modcacherw',
  GOTOOLCHAIN: 'local',
  CARGO_HOME: '/environment/.cargo',
  RUSTUP_HOME: '/environment/.rustup',
  MAVEN_OPTS: '-Dmaven.repo.local=/environment/.m2/repository',
  GRADLE_USER_HOME: '/environment/.gradle',
};

/** For scripts 1 and 2: root of their own user namespace, in /environment. Caches go to the sandbox's /tmp, reproducible defaults are set. */
export const buildVariables: Readonly<Record<string, string>> = {
  ...shared,
  HOME: ENVIRONMENT_DIRECTORY,
  USER: 'root',
  DEBIAN_FRONTEND: 'noninteractive',
  SOURCE_DATE_EPOCH: '1577836800',
  PIP_NO_CACHE_DIR: '1',
  PIP_BREAK_SYSTEM_PACKAGES: '1',
  PIP_ROOT_USER_ACTION: 'ignore',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  npm_config_cache: '/tmp/npm',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  XDG_CACHE_HOME: '/tmp/cache',
  GOCACHE: '/tmp/go-build',
};

/** For scripts 3 and 4, checkers and `verify`: an unprivileged user in the workspace, no network. */
export const executionVariables: Readonly<Record<string, string>> = {
  ...shared,
  HOME: WORKSPACE_DIRECTORY,
  USER: 'user',
  PYTHONDONTWRITEBYTECODE: '1',
  GOPROXY: 'off',
  GOSUMDB: 'off',
  GOFLAGS: '-mod=mod',
  GOCACHE: '/tmp/go-build',
  CARGO_NET_OFFLINE: 'true',
  MAVEN_ARGS: '--offline',
  npm_config_offline: 'true',
};
