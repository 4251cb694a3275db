"""The instruction site: Streamlit parts behind `chapter0_fundamentals/instructions/Home.py`.

Start it from anywhere; `.streamlit/config.toml` beside `Home.py` holds every fixed setting
(loopback only, no file watcher, no usage statistics, both themes)::

    streamlit run chapter0_fundamentals/instructions/Home.py --server.port 8501

Behind jupyter-server-proxy or another proxy that keeps the path, add the path as the browser sees
it, without slashes at its ends: `--server.baseUrlPath site`. Every link of the site is relative, so
any prefix works. JupyterLab is then taken to stand at `../lab`; ARENA_LAB_JUPYTER names another
place (`http://127.0.0.1:8888/`), and alone, without either, the site shows the file's path instead.

ARENA_LAB_REPOSITORY names the web page of the repository for "source" links; by default it is read
off git's remote `origin`, and without one the links are left out.
"""
