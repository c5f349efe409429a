import express, { Router } from 'express';
import helmet from 'helmet';
import swaggerFolder from 'swagger-ui-dist/absolute-path.js';

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Holdfast API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <link rel="icon" href="/docs/favicon-32x32.png" />
  </head>
  <body>
    <div id="page"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;
const start = `SwaggerUIBundle({ url: '/v1/openapi.json', dom_id: '#page', deepLinking: true });\n`;

/** The OpenAPI document, and a page to read and try it. Neither needs a token: they say nothing of this installation. */
export function createDocs(document: object): Router {
  const router = Router();
  router.get('/v1/openapi.json', (_request, response) => void response.json(document));
  router.use('/docs', docsHeaders);
  router.get('/docs', (_request, response) => void response.type('html').send(page));
  router.get('/docs/start.js', (_request, response) => void response.type('js').send(start));
  router.use('/docs', express.static(swaggerFolder(), { index: false }));
  return router;
}

/** The page runs only its own files; it sets styles and images inline. */
const docsHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  strictTransportSecurity: false,
});
