"""The instruction site: Streamlit parts behind `chapter0_fundamentals/instructions/Home.py`.

Start it from anywhere; `.streamlit/config.toml` beside `Home.py` holds every fixed setting
(loopback only, no file watcher, no usage statistics, both themes)::

    streamlit run chapter0_fundamentals/instructions/Home.py --server.port 8501

Every link within the site is relative, so any prefix works, whether the proxy in front cuts it off
or keeps it (then add `--server.baseUrlPath site`, the path as the browser sees it). Behind a proxy
that checks who comes, add `--server.enableCORS false`: Streamlit knows only localhost by name, and
on any other it would ask a host outside for its own address before it refuses.

ARENA_LAB_JUPYTER is JupyterLab's path on the same host, such as `/`; without it the site shows the
path of the answers' file instead of a link. ARENA_LAB_REPOSITORY names the web page of the
repository for "source" links; by default it is read off git's remote `origin`, and without one
the links are left out.
"""
