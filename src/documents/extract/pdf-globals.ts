// To be imported before pdf.js, which creates a drawing matrix as it loads and takes the class from a native package that
// may not be there. Reading text draws nothing, so a class without contents will do, and the package is not needed.

const globals: { DOMMatrix?: unknown } = globalThis;
globals.DOMMatrix ??= class DOMMatrix {};
