import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry of images on this machine, of which Docker asks for no certificate: the reading half of the OCI protocol. */
export interface Registry {
  readonly port: number;
  /** Puts an image of one file there; returns its id. */
  publish(repository: string, tag: string, content: string): string;
  /** Puts an image of one layer, a tar, there; returns what a pull by digest asks for. */
  publishLayer(repository: string, tag: string, layer: Buffer, config: ImageConfig): string;
  withdraw(repository: string, tag: string): void;
  /** Nothing that was published is there any more, by its digest neither. */
  forgetAll(): void;
  /** The next blobs that are asked for: as many break off in the middle. */
  breakOff(times: number): void;
  /** Every blob but configurations is answered with other bytes, or not any more. */
  damage(is: boolean): void;
  stop(): void;
}

/** As in an image's configuration. */
interface ImageConfig {
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
}

const types = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar',
};

export async function startRegistry(): Promise<Registry> {
  const blobs = new Map<string, Buffer>();
  const tags = new Map<string, string>();
  let [toBreak, damaged] = [0, false];
  const server = createServer((request, response) => {
    const [, repository, kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    if (repository === undefined) return void response.end('{}');
    const digest = tags.get(`${repository}:${reference}`) ?? reference;
    const found = blobs.get(digest);
    const type = kind === 'manifests' ? types.manifest : 'application/octet-stream';
    const unknown = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}';
    const headers = {
      'content-type': type,
      'docker-content-digest': digest,
      'content-length': found?.length ?? unknown.length,
    };
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]);
    if (found !== undefined && from > 0) {
      const rest = found.subarray(from);
      const range = {
        'content-length': rest.length,
        'content-range': `bytes ${from}-${found.length - 1}/${found.length}`,
      };
      return void response.writeHead(206, { ...headers, ...range }).end(rest);
    }
    response.writeHead(found === undefined ? 404 : 200, headers);
    if (found !== undefined && kind === 'blobs' && found[0] !== '{'.charCodeAt(0)) {
      if (damaged) return void response.end(Buffer.alloc(found.length, 'x'));
      if (toBreak > 0) {
        toBreak -= 1;
        return void response.write(found.subarray(0, found.length / 2), () => response.destroy());
      }
    }
    response.end(request.method === 'HEAD' ? undefined : (found ?? unknown));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const put = (content: Buffer) => {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    blobs.set(digest, content);
    return { digest, size: content.length };
  };

  function publishLayer(repository: string, tag: string, tar: Buffer, settings: ImageConfig) {
    const layer = put(tar);
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const config = put(
      Buffer.from(JSON.stringify({ architecture: architecture(), os: 'linux', config: settings, rootfs })),
    );
    const parts = {
      config: { mediaType: types.config, ...config },
      layers: [{ mediaType: types.layer, ...layer }],
    };
    const manifest = put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, ...parts })));
    tags.set(`${repository}:${tag}`, manifest.digest);
    return { id: config.digest, digest: manifest.digest };
  }

  return {
    port: (server.address() as AddressInfo).port,
    publish: (repository, tag, content) =>
      publishLayer(repository, tag, tarOf('content', content), { Cmd: ['/content'] }).id,
    publishLayer: (...what) => publishLayer(...what).digest,
    withdraw: (repository, tag) => void tags.delete(`${repository}:${tag}`),
    forgetAll() {
      blobs.clear();
      tags.clear();
    },
    breakOff: (times) => void (toBreak = times),
    damage: (is) => void (damaged = is),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** One file in the format of tar. */
function tarOf(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body, Buffer.alloc(1_024)]);
}
