# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx makes HTML of what antsibull-docs and scripts/start_page.py wrote."""

from __future__ import annotations

from typing import Any

project = "cryptoki.hsm"
copyright = "The cryptoki.hsm contributors"  # noqa: A001
title = html_title = html_short_title = "cryptoki.hsm"

extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = False  # links into Ansible's own documentation are looked up on the network, which may be missing

html_theme = "sphinx_ansible_theme"
html_theme_options = {"display_version": False}
html_static_path = ["."]
html_css_files = ["hsm.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False

intersphinx_timeout = 5
intersphinx_mapping = {"ansible_devel": ("https://docs.ansible.com/projects/ansible/devel/", None)}


def setup(app: Any) -> None:
    """The theme's logo leads to the start page, and not to that of the server."""

    def lead_home(_app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
        context["theme_documentation_home_url"] = context["pathto"](app.config.root_doc)

    app.connect("html-page-context", lead_home)
