import { Agent } from 'node:http';
import { createConnection, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Connections to the instances of a service, of which one gets what is new. */
export interface Upstream {
  /** Each request gets a connection of its own, made when it is needed and to what is the target then. */
  readonly agent: Agent;
  target(): number | null;
  pointTo(port: number): void;
  /** Connections to other ports. One is open exactly as long as a request (or what it was upgraded to) is under way. */
  elsewhere(): number;
  /** Closes them. Returns how many. */
  cutElsewhere(): number;
}

/** With an error the socket means nothing. */
type Connected = (error: Error | null, socket: Duplex) => void;

/** So long a service that is just starting, or being put back, may refuse connections. */
const patienceMs = 2_000;
const firstPauseMs = 25;
const longestPauseMs = 400;
/** A listener whose queue is full does not answer at all. */
const connectTimeoutMs = 10_000;

/**
 * Connections are not kept for the next request: a kept one may be closed by the other end in the moment in which it is used,
 * and then a request that must not be sent twice has failed. `onElsewhere` is called when something
 * there has ended.
 */
export function createUpstream(onElsewhere: () => void): Upstream {
  let target: number | null = null;
  const open = new Map<number, Set<Socket>>();

  function track(port: number, socket: Socket): void {
    const sockets = open.get(port) ?? new Set();
    open.set(port, sockets.add(socket));
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0 && open.get(port) === sockets) open.delete(port);
      if (port !== target) onElsewhere();
    });
  }

  function others(): Socket[] {
    return [...open].flatMap(([port, sockets]) => (port === target ? [] : [...sockets]));
  }

  /** Nothing was sent yet, so that trying again is safe whatever the request is. */
  function connect(done: Connected): void {
    const deadline = Date.now() + patienceMs;
    const attempt = (pauseMs: number) => {
      if (target === null) {
        done(new Error('no release has been given traffic yet'), new Socket());
        return;
      }
      const socket = createConnection({ host: '127.0.0.1', port: target, noDelay: true });
      track(target, socket);
      const limit = setTimeout(() => socket.destroy(new Error('the connection timed out')), connectTimeoutMs);
      const failed = (error: Error) => {
        clearTimeout(limit);
        if (Date.now() + pauseMs > deadline) done(error, socket);
        else setTimeout(attempt, pauseMs, Math.min(2 * pauseMs, longestPauseMs));
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        clearTimeout(limit);
        socket.off('error', failed);
        done(null, socket);
      });
    };
    attempt(firstPauseMs);
  }

  return {
    agent: new ConnectingAgent(connect),
    target: () => target,
    pointTo(port) {
      target = port;
    },
    elsewhere: () => others().length,
    cutElsewhere() {
      const left = others();
      // One that is connected ends as if the other end had closed it; one that is not yet tries again, at the new target.
      for (const socket of left) socket.destroy(socket.connecting ? new Error('cut') : undefined);
      return left.length;
    },
  };
}

/** Hands out sockets only once they are connected: until then no byte of a request's body is taken from the client. */
class ConnectingAgent extends Agent {
  readonly #connect: (done: Connected) => void;

  constructor(connect: (done: Connected) => void) {
    super({ keepAlive: false, maxSockets: Infinity });
    this.#connect = connect;
  }

  override createConnection(_options: object, done?: Connected): undefined {
    this.#connect(done ?? (() => undefined));
  }
}
