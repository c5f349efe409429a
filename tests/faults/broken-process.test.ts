import { behavingProcess } from '../support/web-releases.ts';
import { provesBrokenReleases } from './broken-releases.ts';

// A process has no limit but the one that its program sets itself, and ends by SIGABRT when that is reached.
const outOfMemory = /^process_exited:134$/;
// In CI those that broken-docker.test.ts leaves out.
const inCi = ['never_ready', 'flaps', 'wrong_sha', 'refuses_schema'] as const;
provesBrokenReleases('process', (watch) => behavingProcess({ watch }), outOfMemory, inCi);
