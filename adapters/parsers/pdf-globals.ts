// pdfjs makes a matrix of a browser's class when it is loaded, and would look for a native canvas to have it. Only drawing
// uses it, which is not done here.
const browser = globalThis as { DOMMatrix?: unknown };
browser.DOMMatrix ??= function DOMMatrix() {};
