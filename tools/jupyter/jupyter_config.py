"""The HTML that JupyterLab exports and that nbconvert writes has the alt texts of the figures."""

from pathlib import Path

c = get_config()  # noqa: F821 - Jupyter gives it to this file
c.HTMLExporter.template_name = "learn-adam"
c.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent.parent / "templates")]
