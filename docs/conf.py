"""How Sphinx makes the site of what `docs/make_site.py` lays out; see there."""

from vcokit import __version__

project = "vcokit"
project_copyright = "The vcokit developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # consoles show files that are not quite TOML

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give them
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False

smartquotes = False  # options begin with two dashes

html_theme = "furo"
html_title = "vcokit"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
