SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "../openapi.json",
  validatorUrl: null, // else a badge asks a server on the internet
  deepLinking: true,
  supportedSubmitMethods: METHODS,
});
