import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { describeOnLinux } from './fixtures/linux.js';
import { copyBuild } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

// The `script` command of util-linux provides the terminal.
describeOnLinux('Log on a terminal', () => {
  let terminal: ChildProcess | undefined;
  let output: string;

  /** Starts the service on a terminal. Returns its URL. */
  async function start(env: Record<string, string> = {}): Promise<string> {
    output = '';
    terminal = spawn('script', ['-qec', `exec '${process.execPath}' dist/main.js`, '/dev/null'], {
      cwd: await copyBuild(),
      env: { PATH: process.env.PATH, PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    terminal.stdout?.setEncoding('utf8').on('data', (data: string) => {
      output += stripVTControlCharacters(data).replaceAll('\r', '');
    });
    await waitFor(() => /Service .*\n/.test(output));
    return /Service +(\S+)/.exec(output)?.[1] ?? '';
  }

  afterEach(async () => {
    if (terminal?.pid === undefined || terminal.exitCode !== null) return;
    const exit = once(terminal, 'exit');
    // The process group: `script` does not forward signals to the service.
    process.kill(-terminal.pid, 'SIGKILL');
    await exit;
  });

  it('shows the URLs, and that the service listens on all interfaces', async () => {
    const url = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(output).toMatch(
      /^PetSage API \d+\.\d+\.\d+ is listening on 0\.0\.0\.0 \(all network interfaces\)$/m,
    );
    await waitFor(() => output.includes(`\n  Documentation  ${url}/docs\n`));
  });

  it('shows no documentation with DOCS=false', async () => {
    const url = await start({ DOCS: 'false' });
    await fetch(url);
    await waitFor(() => output.includes('GET / 200'));
    expect(output).not.toMatch(/doc/i);
  });

  it('does not mention other interfaces when HOST is a loopback address', async () => {
    await start({ HOST: '127.0.0.1' });
    expect(output).toMatch(/is listening on 127\.0\.0\.1$/m);
  });

  it('shows each request on one line', async () => {
    const url = await start();
    const headers = { 'X-Request-Id': 'b3c5a285-0000' };
    await fetch(url, { headers });
    await fetch(`${url}/nope`, { headers });
    await waitFor(() => output.includes('unmatched'));
    expect(output).toMatch(/^\d\d:\d\d:\d\d GET \/ 200 \d+ ms b3c5a285$/m);
    expect(output).toMatch(/^\d\d:\d\d:\d\d GET unmatched 404 \d+ ms b3c5a285$/m);
    expect(output).not.toContain('{"level"');
  });

  it('hides the mapped routes by default', async () => {
    await start();
    expect(output).toContain('Starting Nest application');
    expect(output).not.toMatch(/Mapped|dependencies initialized/);
  });

  it('shows the mapped routes at LOG_LEVEL=debug', async () => {
    await start({ LOG_LEVEL: 'debug' });
    expect(output).toMatch(/DEBUG: \[RouterExplorer\] Mapped \{\/system\/healthz, GET\} route/);
  });
});
