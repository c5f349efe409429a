import type { Request, RequestHandler, Response } from 'express';

/** A middleware as a step of an async function: resolves when it passes the request on, rejects with what it refuses with. */
export function asStep(middleware: RequestHandler): (request: Request, response: Response) => Promise<void> {
  return (request, response) =>
    new Promise((resolve, reject) => {
      void middleware(request, response, (error?: unknown) => {
        if (error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error('refused', { cause: error }));
      });
    });
}
