import { behavingProcess } from '../support/web-releases.ts';
import { provesBrokenReleases } from './broken-releases.ts';

// A process has no limit but the one that its program sets itself, and ends by SIGABRT when that is reached.
provesBrokenReleases('process', (watch) => behavingProcess({ watch }), /^process_exited:134$/);
