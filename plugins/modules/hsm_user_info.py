#!/usr/bin/python

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_user_info
short_description: List the users of an HSM cluster
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Lists the users of an HSM cluster, as C(listUsers) of key_mgmt_util does.
  - PKCS#11 tells nothing of users, so O(provider=pkcs11) is refused before any login. The providers that drive the
    cluster's tool have users; O(provider=cloudhsm_cli) lists them without a login.
extends_documentation_fragment:
  - cryptoki.hsm._attributes.info_module
  - cryptoki.hsm._attributes.actiongroup_hsm
  - cryptoki.hsm._login
seealso:
  - module: cryptoki.hsm.hsm_token_info
  - module: cryptoki.hsm.hsm_rsa_keypair
  - module: cryptoki.hsm.hsm_ecc_keypair
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_aws_cloudhsm
    description: Users, sharing and quorums with the CloudHSM CLI.
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_azure_cloud_hsm
    description: Users, sharing and quorums with key_mgmt_util and its relatives.
"""

EXAMPLES = r"""
- name: List the users
  cryptoki.hsm.hsm_user_info:
    provider: cloudhsm_cli
  register: hsm

- name: Show the names of the crypto users
  ansible.builtin.debug:
    msg: "{{ hsm.users | selectattr('type', 'equalto', 'CU') | map(attribute='name') }}"
"""

RETURN = r"""
users:
  description: The users. What the cluster's tool does not tell is null.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Number of the user; the CloudHSM CLI does not tell it.
      type: int
      returned: always
      sample: 3
    name:
      description: Name of the user.
      type: str
      returned: always
      sample: alice
    type:
      description:
        - Type of the user, for instance V(CU) for a crypto user, V(CO) or V(PCO) for a crypto officer, or V(AU) for the
          appliance user.
      type: str
      returned: always
      sample: CU
    two_factor:
      description: Whether the user logs in with a second factor (C(2FA) of C(listUsers)).
      type: bool
      returned: always
      sample: false
    login_failures:
      description: How often a login of the user failed since the last good one (C(LoginFailureCnt)).
      type: int
      returned: always
      sample: 0
    quorum_key:
      description: Whether a key for signing quorum tokens is registered for the user (C(MofnPubKey)).
      type: bool
      returned: always
      sample: true
    locked:
      description: Whether the user is locked out, after too many failed logins.
      type: bool
      returned: always
      sample: false
"""

import dataclasses

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, providers


def users(module: edge.HsmModule) -> edge.Result:
    """All users of the HSM, as its own tool lists them."""
    provider, login = providers.provider_from(module.params, needs="users", any_token=True)
    module.know(login)
    module.require_libraries(provider)
    return {"changed": False, "users": [dataclasses.asdict(user) for user in provider.users()]}


def main() -> None:
    """Entry point."""
    edge.HsmModule(groups.LOGIN, providers.kind_of).run(users)


if __name__ == "__main__":
    main()
