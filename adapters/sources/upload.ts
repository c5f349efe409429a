import { PermanentFailure } from '../../domain/failures.ts';
import type { UploadSource } from '../../domain/project/source.ts';
import type { StoredUpload, UploadStore } from '../postgres/uploads.ts';
import type { ContentStore } from '../staging/content-store.ts';
import type { SourceReader } from './reader.ts';
import { createWanted } from './wanted.ts';

export interface UploadPlace {
  readonly uploads: Pick<UploadStore, 'list'>;
  readonly contents: ContentStore;
  readonly project: string;
  readonly box: string;
}

const pageSize = 1_000;

/** What was uploaded to this box: its rows are the truth, its bytes have been in the content store all along. */
export function openUpload(spec: UploadSource, { uploads, contents, project, box }: UploadPlace): SourceReader {
  const wanted = createWanted(spec);
  return {
    ...{ revision: null, kept: 'before', parallel: 8, mayBeEmpty: true },

    async *list(_skips, signal) {
      for (let page: StoredUpload[] | null = null; page === null || page.length === pageSize;) {
        signal.throwIfAborted();
        const last = page?.at(-1)?.path;
        page = await uploads.list(project, spec.name, {
          limit: pageSize,
          ...(last === undefined ? {} : { after: last }),
        });
        for (const { path, sha256, bytes, uploaded_at, box: at } of page.filter(({ path }) => wanted.file(path))) {
          if (at !== box) throw elsewhere(spec.name, path, at);
          yield { path, bytes, modifiedAt: uploaded_at, uri: null, version: sha256 };
        }
      }
    },

    async open({ path, version }) {
      if (version === null) throw new Error(`The upload ${path} has no content`);
      if (!(await contents.has(version))) throw lost(spec.name, path);
      return { content: contents.open(version), read: async () => ({ version, modifiedAt: null, mediaType: null }) };
    },

    close: () => Promise.resolve(),
  };
}

function elsewhere(source: string, path: string, box: string): PermanentFailure {
  const message = `${path} of the source ${source} was uploaded to the box ${box}, and is not on this one. Upload it again.`;
  return new PermanentFailure('SourceGone', message);
}

/** Not passed over as deleted: nobody deleted it. */
function lost(source: string, path: string): PermanentFailure {
  const message = `The bytes of ${path} of the source ${source} are no longer in the content store. Upload it again.`;
  return new PermanentFailure('SourceGone', message);
}
