"""A JupyterHub as a teacher starts one: behind a prefix, each learner at home, one shared course.

test_hub.py starts it, and says where things are.
"""

import os
import sys

c = get_config()  # noqa: F821 - traitlets has it
told = os.environ

c.JupyterHub.bind_url = f"http://127.0.0.1:{told['HUB_PORT']}/room/"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{told['HUB_INNER_PORT']}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{told['HUB_PROXY_PORT']}"
c.ConfigurableHTTPProxy.command = [told["HUB_PROXY"]]

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {"ada", "bob"}

# each is the user who runs the hub, in a home folder of its own
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = told["HUB_HOMES"] + "/{username}"
# as in the Dockerfile: the hub's command in the place of its last line
c.Spawner.cmd = [sys.executable, told["HUB_COURSE"] + "/tools/lab.py", "serve"]
c.Spawner.cmd += [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.start_timeout = 120

c.JupyterHub.services = [{"name": "test", "api_token": told["HUB_TOKEN"]}]
scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": scopes}]
