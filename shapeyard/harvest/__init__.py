"""Getting meshes from services that hand them out one by one: politely, resumably, with their licences."""
