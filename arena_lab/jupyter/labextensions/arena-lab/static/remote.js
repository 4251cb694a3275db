// An extension of JupyterLab without a build step: the container that module federation asks for,
// written by hand.
//
// JupyterLab chooses a viewer by file type and knows one type for every *.py;
// jupytext opens that type as a notebook. The scripts of a section that are no notebooks
// (tests.py, utils.py) get a type of their own here, which opens in the editor: see
// ../../../settings/overrides.json.
(() => {
  const plugin = {
    id: 'arena-lab:modules',
    description: 'A file type for Python modules that are no notebooks.',
    autoStart: true,
    activate: app =>
      app.docRegistry.addFileType({
        name: 'arena-module',
        displayName: 'Python Module',
        pattern: '^(?!(answers|solutions)\\.py$).*\\.py$',
        extensions: [],
        mimeTypes: ['text/x-python']
      })
  };
  const remotes = (window._JUPYTERLAB = window._JUPYTERLAB || {});
  remotes['arena-lab'] = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
