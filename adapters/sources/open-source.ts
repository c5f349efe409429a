import type { SourceSpec } from '../../domain/project/source.ts';
import type { AllowedRoots } from '../files/allowed-roots.ts';
import type { UploadStore } from '../postgres/uploads.ts';
import type { Environment } from '../process/inherited-env.ts';
import type { ContentStore } from '../staging/content-store.ts';
import { openDirectory } from './directory.ts';
import { openGit } from './git.ts';
import { openHttp } from './http/open-http.ts';
import type { SourceReader } from './reader.ts';
import { openUpload } from './upload.ts';

export interface OpenDeps {
  readonly home: string;
  readonly box: string;
  readonly env: Environment;
  readonly allowed: AllowedRoots;
  readonly uploads: UploadStore;
  readonly contents: ContentStore;
}

export interface Opening {
  readonly signal: AbortSignal;
  readonly heartbeat: () => void;
  /** Whether the truth is looked at anew; else what was listed is read again. */
  readonly anew: boolean;
}

/** The reader of one source, by its kind. To be closed. */
export async function openSource(
  deps: OpenDeps,
  project: string,
  spec: SourceSpec,
  opening: Opening,
): Promise<SourceReader> {
  switch (spec.kind) {
    case 'directory':
      return openDirectory(spec, deps.allowed);
    case 'git':
      return openGit(spec, { ...deps, project }, opening.anew ? opening : null);
    case 'upload':
      return openUpload(spec, { ...deps, project });
    case 'http':
      return openHttp(spec);
  }
}
