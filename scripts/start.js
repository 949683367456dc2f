// npm start: runs the built service. In a git checkout, GIT_REVISION is its commit unless it is set.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { loadEnvFile } from 'node:process';

// Does not replace variables that are set.
if (existsSync('.env')) loadEnvFile();

if (!process.env.GIT_REVISION) {
  try {
    process.env.GIT_REVISION = execFileSync('git', ['rev-parse', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    // Without git or a commit, the revision is unknown.
  }
}

await import('../dist/main.js');
