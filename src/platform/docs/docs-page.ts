const STYLES = `
  body { margin: 0; background: #fafafa; }
  .page-header {
    display: flex; align-items: center; gap: 24px; height: 50px; padding: 0 20px;
    background: #1b1b1b; color: #fff; font: 16px sans-serif;
  }
  .page-header a { color: inherit; }

  /* The button for the dark scheme is the only part of Swagger UI's top bar that is shown. */
  .swagger-ui .topbar {
    position: absolute; top: 0; right: 20px; padding: 12px 0; background: none !important;
  }
  .swagger-ui .topbar .wrapper { padding: 0; }
  .swagger-ui .topbar .link, .swagger-ui .topbar .download-url-wrapper { display: none; }

  /* Swagger UI uses colors of the light scheme for header tables, also in the dark scheme. */
  html.dark-mode .swagger-ui table.headers td,
  html.dark-mode .swagger-ui table.headers .header-example { color: #e4e6e6; }

  @media (max-width: 640px) {
    .swagger-ui .info { margin: 24px 0; }
    .swagger-ui .wrapper { padding: 0 12px; }
    .swagger-ui .servers > label { margin-right: 0; }
    .swagger-ui .opblock-tag { flex-wrap: wrap; }
    .swagger-ui .opblock-tag a { flex: 1; }
    .swagger-ui .opblock-tag small { order: 1; flex: 0 0 100%; padding: 0; }
    .swagger-ui .opblock-description-wrapper, .swagger-ui .responses-inner { padding: 12px; }
    .swagger-ui .opblock .opblock-summary-method { min-width: 60px; }
    .swagger-ui .try-out .btn { padding: 5px 10px; }
    .swagger-ui .response-col_links { display: none; }
    .swagger-ui .response-col_status { min-width: 3.5em !important; }
    .swagger-ui .curl code { overflow-wrap: anywhere; white-space: pre-wrap !important; }
    .swagger-ui table.headers td:not(:last-child) { overflow-wrap: anywhere; }
  }
`;

/**
 * Creates the page that shows Swagger UI. It replaces the page of `SwaggerModule`, which has no viewport
 * and an empty top bar. Its links are relative, so that it works behind a proxy that strips a prefix.
 *
 * @param base relative URL from the page to the root of the service, such as `../`
 */
export function createDocsPage(base: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>PetSage API</title>
  <link rel="icon" type="image/png" href="${base}docs/favicon-32x32.png">
  <link rel="stylesheet" href="${base}docs/swagger-ui.css">
  <style>${STYLES}</style>
</head>
<body>
  <header class="page-header">
    <strong>PetSage API</strong>
    <a href="${base}openapi.json">openapi.json</a>
  </header>
  <div id="swagger-ui"></div>
  <script src="${base}docs/swagger-ui-bundle.js"></script>
  <script src="${base}docs/swagger-ui-standalone-preset.js"></script>
  <script src="${base}docs/swagger-ui-init.js"></script>
</body>
</html>
`;
}

/** Creates the script that shows the OpenAPI document, given as JSON, on the page. */
export function createDocsScript(document: string): string {
  return `window.onload = () => {
  window.ui = SwaggerUIBundle({
    spec: ${document},
    dom_id: '#swagger-ui',
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: 'StandaloneLayout',
  });
};
`;
}
