"""The instruction site; `streamlit run Home.py` starts it. See arena_lab/site."""

from arena_lab.site.app import main

main()
