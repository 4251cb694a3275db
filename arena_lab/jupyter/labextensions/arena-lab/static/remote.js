// An extension of JupyterLab without a build step: the container that module federation asks for,
// written by hand.
//
// JupyterLab chooses a viewer by file type and knows one type for every *.py;
// jupytext opens that type as a notebook. The scripts of a section that are no notebooks
// (tests.py, utils.py) get a type of their own here, which opens in the editor: see
// ../../../settings/overrides.json.
(() => {
  // JupyterLab opens the file of an address and drops the heading after its #. Read before it does.
  const path = decodeURIComponent(location.pathname.split('/tree/')[1] ?? '');
  const heading = decodeURIComponent(location.hash.slice(1));

  const opened = async app => {
    await app.restored;
    return new Promise(resolve => {
      const look = () => {
        const panel = [...app.shell.widgets('main')].find(w => w.context?.path === path);
        if (!panel) return;
        app.shell.layoutModified.disconnect(look);
        resolve(panel);
      };
      app.shell.layoutModified.connect(look);
      look();
    });
  };

  const headingOf = ({ model }) =>
    model.type === 'markdown' &&
    /^#+ (.*)$/m.exec(model.sharedModel.getSource())?.[1].replaceAll(' ', '-');

  // Where the heading is gone, the cell that defines the exercise's first name will do.
  const cellOf = cells => {
    const index = cells.findIndex(cell => headingOf(cell) === heading);
    if (index >= 0) return Math.min(index + 1, cells.length - 1);
    const [name] = heading.split(',');
    const definition = new RegExp(`^(def|class) ${name}\\b`, 'm');
    return /^\w+$/.test(name)
      ? cells.findIndex(({ model }) => definition.test(model.sharedModel.getSource()))
      : -1;
  };

  // The cell under the heading becomes the active one: Enter writes in it.
  const goToHeading = async app => {
    const panel = await opened(app);
    await panel.context.ready;
    const notebook = panel.content;
    const index = cellOf(notebook.widgets ?? []);
    if (index < 0) return;
    notebook.activeCellIndex = index;
    // What stands above may still grow: again, unless the learner has gone to another cell.
    for (const pause of [0, 400, 1200]) {
      await new Promise(resolve => setTimeout(resolve, pause));
      if (notebook.activeCellIndex !== index) return;
      await notebook.scrollToItem(Math.max(index - 1, 0), 'start');
    }
  };

  const plugin = {
    id: 'arena-lab:modules',
    description: 'A file type for Python modules that are no notebooks, and links to headings.',
    autoStart: true,
    activate: app => {
      app.docRegistry.addFileType({
        name: 'arena-module',
        displayName: 'Python Module',
        pattern: '^(?!(answers|solutions)\\.py$).*\\.py$',
        extensions: [],
        mimeTypes: ['text/x-python']
      });
      if (path && heading) goToHeading(app);
    }
  };
  const remotes = (window._JUPYTERLAB = window._JUPYTERLAB || {});
  remotes['arena-lab'] = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
